"""500 SQLite tenants of which one hangs: how long the other 499 take, against a pass in which all are well (R21).

python -m bench.tenants [sqlite | postgres | mariadb]
"""

import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

from sqlalchemy import text

from bench.drain import a_store_url
from rota import Retry, Rota, RunContext
from rota.core.model import State
from rota.queries import RunQuery
from rota.settings import Settings, WorkerSettings
from rota.tenants import SQLiteDirectory

TENANTS = 500
HANGING = "agency_250"
PASSES = 3


def main() -> None:
    kind = sys.argv[1] if len(sys.argv) > 1 else "sqlite"
    with tempfile.TemporaryDirectory() as name, a_store_url(kind) as url:
        folder = Path(name)
        for number in range(TENANTS):
            with closing(sqlite3.connect(folder / f"agency_{number}.db")) as db, db:
                db.execute("CREATE TABLE mail (at TEXT)")
        app = an_app(url, folder)
        # Each pass after the other in turn: the machine gets slower and faster.
        healthy, hurt = [], []
        with app.working():
            one_pass(app)
            for _ in range(PASSES):
                healthy.append(one_pass(app))
                with closing(sqlite3.connect(folder / f"{HANGING}.db", isolation_level=None)) as lock:
                    lock.execute("BEGIN EXCLUSIVE")
                    hurt.append(one_pass(app))
        app.close()
    ratio = median(hurt) / median(healthy)
    print(f"{kind}: all {TENANTS} are well: {median(healthy):.2f} s")
    print(f"{kind}: the other {TENANTS - 1} beside one that hangs: {median(hurt):.2f} s, {ratio:.2f}x (bar 1.2x)")


def an_app(url: str, folder: Path) -> Rota:
    settings = Settings(worker=WorkerSettings(concurrency=16))
    app = Rota(url, tenants=SQLiteDirectory(folder), settings=settings)
    store = app.open_store()
    store.setup()
    store.close()

    @app.job(per_tenant=True, retry=Retry(attempts=1))
    def work(ctx: RunContext) -> None:
        with ctx.tenant.begin() as db:
            db.execute(text("INSERT INTO mail VALUES ('now')"))
        # A mail server that answers.
        sleep(0.05)

    return app


def one_pass(app: Rota) -> float:
    """Return the seconds until every tenant but the one that may hang is done, after the pass wait for that one too."""
    started = perf_counter()
    round_ = app.start_run("work")
    open_states = (State.SCHEDULED, State.QUEUED, State.RUNNING)
    took = 0.0
    while True:
        left = app.store.runs(RunQuery(round_id=round_.id, states=open_states, kind=None, limit=TENANTS + 1))
        if not took and {run.tenant for run in left} <= {HANGING}:
            took = perf_counter() - started
        if took and not left:
            return took
        sleep(0.02)


if __name__ == "__main__":
    main()
