"""How long a list of runs takes where very many are stored, for each word of the search language, alone and together.

python -m bench.lists sqlite
python -m bench.lists postgres --runs 1000000

Asks the operation behind `GET /api/v1/runs` in this process and writes its answer down as JSON: what a request costs
but for the server around it. Each question is asked ten times, the first page and the one after it.
"""

import argparse
import random
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec
from sqlalchemy import create_engine, text

from bench.drain import a_store
from rota import Rota
from rota.core.access import LOCAL
from rota.core.model import ErrorReport, Run, State, Trigger
from rota.operations.operation import Desk
from rota.operations.runs import RunsAsked, list_runs

NOW = datetime.now(UTC)
SPAN = timedelta(days=30)
BATCH = 5_000
TIMES = 10

QUESTIONS = (
    "",
    "job:job7",
    "tenant:tenant42",
    "state:failed",
    "state:succeeded",
    "-state:succeeded",
    "queue:mail",
    "worker:w3",
    "trigger:manual",
    "schedule:job7",
    "error:timeout",
    "error:nosuchthing",
    "args.user:4711",
    "args.user:-1 since:2d",
    "attempt:>1",
    "duration:>30s",
    "duration:>1h since:2d",
    "since:2d",
    "until:20d",
    "slot:{day}",
    "-tenant:tenant42",
    "job:job7 tenant:tenant42 state:failed",
    "job:job7 error:timeout since:7d",
    "tenant:tenant42 duration:>30s",
)


def some_runs(number: int) -> Iterator[Run]:
    """Yield ended runs of twenty jobs and two hundred tenants, spread over a month, oldest first."""
    chance = random.Random(7)
    for index in range(number):
        made = NOW - SPAN * (1 - index / number)
        job = f"job{chance.randrange(20)}"
        state = chance.choices((State.SUCCEEDED, State.FAILED, State.CANCELLED), (97, 2, 1))[0]
        took = timedelta(seconds=chance.expovariate(1 / 8))
        error = ErrorReport(type=chance.choice(("TimeoutError", "ValueError")), message="it did not answer")
        yield Run(
            id=f"{int(made.timestamp() * 1000):012x}7000{index:016x}",
            job=job,
            tenant=f"tenant{chance.randrange(200)}",
            queue=chance.choice(("default", "default", "mail")),
            trigger=Trigger.MANUAL if index % 50 == 0 else Trigger.SCHEDULE,
            schedule=job,
            slot=made.replace(microsecond=0),
            args=f'{{"kwargs":{{"user":{chance.randrange(100_000)}}}}}',
            state=state,
            attempt=chance.choice((1, 1, 1, 1, 2)),
            owner=f"w{index % 5}",
            error=error if state is State.FAILED else None,
            created_at=made,
            due_at=made,
            started_at=made,
            ended_at=made + took,
        )


def fill(app: Rota, number: int) -> None:
    """Store them, as they are."""
    batch: list[Run] = []
    for run in some_runs(number):
        batch.append(run)
        if len(batch) == BATCH:
            app.store.enqueue(batch, now=NOW)
            batch = []
    app.store.enqueue(batch, now=NOW)


def count_up(url: str) -> None:
    """Let the server see what there is, as it does by itself within a minute or two."""
    if url.startswith("postgresql"):
        with create_engine(url).connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))


def ask(desk: Desk, where: str) -> list[float]:
    """Return how many milliseconds each asking took."""
    took = []
    for _ in range(TIMES):
        cursor = None
        for _page in range(2):
            start = time.perf_counter()
            answer = desk.ask(list_runs, RunsAsked(where=where, cursor=cursor))
            msgspec.json.encode(answer)
            took.append((time.perf_counter() - start) * 1e3)
            cursor = answer.page.next
            if cursor is None:
                break
    return took


def main() -> None:
    """Measure, and print a line per question."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", choices=("sqlite", "postgres", "mariadb", "redis"))
    parser.add_argument("--runs", type=int, default=1_000_000)
    options = parser.parse_args()
    with a_store(options.store) as (url, _):
        app = Rota(url)
        app.open_store().setup()
        for number in range(20):
            app.job(name=f"job{number}")(lambda user=0: None)
        start = time.perf_counter()
        fill(app, options.runs)
        count_up(url)
        print(f"{options.runs:,} runs stored in {time.perf_counter() - start:.0f} s", flush=True)
        desk = Desk(app=app, principal=LOCAL, door="bench")
        for question in QUESTIONS:
            where = question.format(day=(NOW - timedelta(days=9)).date())
            took = sorted(ask(desk, where))
            p95 = took[min(len(took) - 1, round(len(took) * 0.95))]
            half = statistics.median(took)
            print(f"{options.store:9} {where or '(all)':40} p50 {half:8.1f} ms  p95 {p95:8.1f} ms", flush=True)
        app.close()


if __name__ == "__main__":
    main()
