"""500 SQLite tenants of which some hang: how long the others take, against a pass in which all are well (R21, G3).

python -m bench.tenants [sqlite | postgres | mariadb] [--hanging 10] [--places 64]

Each that hangs holds a place until its time is over: beside ten, the others keep within 1.2x of a healthy pass
from about 60 places on.
"""

import argparse
import sqlite3
import tempfile
from contextlib import ExitStack, closing
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
PASSES = 3


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", nargs="?", default="sqlite")
    parser.add_argument("--hanging", type=int, default=1)
    parser.add_argument("--places", type=int, default=16)
    asked = parser.parse_args()
    kind, hanging = asked.kind, {f"agency_{number}" for number in range(250, 250 + asked.hanging)}
    with tempfile.TemporaryDirectory() as directory, a_store_url(kind) as url:
        folder = Path(directory)
        for number in range(TENANTS):
            with closing(sqlite3.connect(folder / f"agency_{number}.db")) as db, db:
                db.execute("CREATE TABLE mail (at TEXT)")
        app = an_app(url, folder, places=asked.places)
        # Each pass after the other in turn: the machine gets slower and faster.
        healthy, hurt = [], []
        with app.working():
            one_pass(app, hanging)
            for _ in range(PASSES):
                healthy.append(one_pass(app, hanging))
                with ExitStack() as locks:
                    for name in hanging:
                        lock = locks.enter_context(
                            closing(sqlite3.connect(folder / f"{name}.db", isolation_level=None))
                        )
                        lock.execute("BEGIN EXCLUSIVE")
                    hurt.append(one_pass(app, hanging))
        app.close()
    ratio = median(hurt) / median(healthy)
    print(f"{kind}: all {TENANTS} are well: {median(healthy):.2f} s")
    others = TENANTS - len(hanging)
    print(f"{kind}: the other {others} beside {len(hanging)} that hang: {median(hurt):.2f} s, {ratio:.2f}x (bar 1.2x)")


def an_app(url: str, folder: Path, *, places: int) -> Rota:
    settings = Settings(worker=WorkerSettings(concurrency=places))
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


def one_pass(app: Rota, hanging: set[str]) -> float:
    """Return the seconds until every tenant but those that may hang is done; then wait for these too."""
    started = perf_counter()
    round_ = app.start_run("work")
    open_states = (State.SCHEDULED, State.QUEUED, State.RUNNING)
    took = 0.0
    while True:
        left = app.store.runs(RunQuery(round_id=round_.id, states=open_states, kind=None, limit=TENANTS + 1))
        if not took and {run.tenant for run in left} <= hanging:
            took = perf_counter() - started
        if took and not left:
            return took
        sleep(0.02)


if __name__ == "__main__":
    main()
