"""A round over 2,000 tenants as it is shown, and why a job does not run, with a day of rounds behind it.

python -m bench.rounds postgres
"""

import sys
from collections.abc import Callable
from datetime import timedelta
from statistics import median
from time import perf_counter

from msgspec.structs import replace

from bench.drain import a_store_url
from rota import Rota, RunContext, every
from rota.core.lifecycle import Ending, settle
from rota.core.model import ErrorReport, Outcome, Round, RoundState, State, Tenant, Trigger
from rota.core.rounds import Expansion, tenant_run
from rota.queries import ClaimRequest, RoundQuery, RunQuery
from rota.views.rounds import round_detail
from rota.views.why import ask_job, ask_round, ask_run

TENANTS = 2_000
ROUNDS = 24
TIMES = 7
FAILED_EACH = 20
"""One in so many runs of a round fails."""


def main() -> None:
    kind = sys.argv[1] if len(sys.argv) > 1 else "postgres"
    names = [f"tenant-{number:04}" for number in range(TENANTS)]
    with a_store_url(kind) as url:
        app = Rota(url, tenants=[Tenant(id=name) for name in names])

        @app.job(schedule=every().hour, per_tenant=True)
        def sync(ctx: RunContext) -> None: ...

        @app.job(schedule=every().hour, per_tenant=True, depends_on=["sync"])
        def report(ctx: RunContext) -> None: ...

        fresh = app.open_store()
        fresh.setup()
        fresh.close()
        app.schedules.sync()
        for number in range(ROUNDS, 0, -1):
            fill(app, "sync", names, hours=number, is_over=True)
        fill(app, "sync", names, hours=0, is_over=False)
        fill(app, "report", names, hours=0, is_over=False)
        for name, took in measured(app, names).items():
            print(f"{kind}: {name}: {took * 1000:.1f} ms")
        app.close()


def fill(app: Rota, job: str, names: list[str], *, hours: int, is_over: bool) -> None:
    """Write a round with its runs: over, one in 20 failed; or held back by a gate, or in line."""
    store, now = app.store, app.clock.now()
    slot = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=hours)
    round_ = Round(
        id=app.clock.new_id(), job=job, schedule=job, slot=slot, trigger=Trigger.SCHEDULE, expanded=True,
        expected=len(names), created_at=now,
    )  # fmt: skip
    expansion = Expansion(args='{"args":[],"kwargs":{}}')
    made = [
        tenant_run(round_, expansion, app.jobs[job].job, tenant=name, now=now, new_id=app.clock.new_id)
        for name in names
    ]
    store.add_rounds([round_], made, now=now)
    if not is_over:
        return
    request = ClaimRequest(worker="w1", queues={"default": len(names)}, limit=len(names), lease=timedelta(hours=1))
    claimed = store.claim(request, now=now)
    endings = [
        Ending(outcome=Outcome.SUCCEEDED, started_at=now)
        if number % FAILED_EACH
        else Ending(
            outcome=Outcome.FAILED,
            started_at=now,
            retry=False,
            error=ErrorReport(type="ValueError", message=f"row {number} is odd", traceback="line\n" * 40),
        )
        for number, _ in enumerate(claimed)
    ]
    took = timedelta(seconds=1)
    done = [settle(run, ending, now=now + took, wait=took) for run, ending in zip(claimed, endings, strict=True)]
    store.settle(done, now=now)
    store.end_round(replace(round_, state=RoundState.PARTIAL, counts=store.round_counts([round_.id])[round_.id]))


def measured(app: Rota, names: list[str]) -> dict[str, float]:
    """Return the median seconds of each question."""
    rounds = {round_.job: round_ for round_ in reversed(app.store.rounds(RoundQuery(limit=100)))}
    over = app.store.rounds(RoundQuery(jobs=("sync",), states=(RoundState.PARTIAL,), limit=1))[0]
    [held] = app.store.runs(RunQuery(jobs=("report",), states=(State.SCHEDULED,), limit=1))
    [queued] = app.store.runs(RunQuery(jobs=("sync",), states=(State.QUEUED,), limit=1))
    asked: dict[str, Callable[[], object]] = {
        "a round that is over is shown": lambda: round_detail(app, over),
        "a round that waits for another job is shown": lambda: round_detail(app, rounds["report"]),
        "why does a job not run": lambda: ask_job(app, "report", tenant=None, slot=None, count=5),
        "why does it not run for a tenant": lambda: ask_job(app, "report", tenant=names[7], slot=None, count=5),
        "why did it fail in a slot": lambda: ask_job(app, "sync", tenant=names[0], slot=over.slot, count=5),
        "why does a round wait": lambda: ask_round(app, rounds["report"]),
        "why does a held run wait": lambda: ask_run(app, held),
        "why does a queued run wait": lambda: ask_run(app, queued),
    }
    return {name: timed(question) for name, question in asked.items()}


def timed(question: Callable[[], object]) -> float:
    question()
    times = []
    for _ in range(TIMES):
        started = perf_counter()
        question()
        times.append(perf_counter() - started)
    return median(times)


if __name__ == "__main__":
    main()
