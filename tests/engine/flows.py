"""Chains and batches over jobs that note what they were given: what tests of flows set up."""

from typing import Any

from rota import BatchSummary, Retry, Rota, RunContext
from rota.core.model import Run, State
from rota.flow_handle import FlowHandle
from tests.clocks import FakeClock
from tests.engine.house import Driven, an_app

ONCE = Retry(attempts=1)


class Heard:
    """What the jobs were given, and who of them fails."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Any]] = []
        self.failing: set[str] = set()
        self.summaries: list[BatchSummary] = []

    def declare(self, app: Rota) -> None:
        @app.job(retry=ONCE)
        def fetch(number: int) -> list[int]:
            self._note("fetch", number)
            return list(range(number))

        @app.job(retry=ONCE)
        def total(rows: list[int], plus: int = 0) -> int:
            self._note("total", rows)
            return sum(rows) + plus

        @app.job(retry=ONCE)
        async def double(number: int) -> int:
            self._note("double", number)
            return 2 * number

        @app.job(retry=ONCE)
        def anything(value: Any) -> Any:
            self._note("anything", value)
            return value

        @app.job(per_tenant=True, retry=ONCE)
        def visit(ctx: RunContext, before: str = "") -> str:
            self._note(f"visit {ctx.tenant.id}", before)
            return f"{before}{ctx.tenant.id};"

        @app.job(retry=ONCE)
        def after(summary: BatchSummary, label: str = "") -> None:
            self.seen.append((f"after {label}", summary.succeeded))
            self.summaries.append(summary)

        @app.job(retry=ONCE)
        def tidy() -> None:
            self._note("tidy", None)

    def _note(self, name: str, given: Any) -> None:
        self.seen.append((name, given))
        if name in self.failing or f"{name} {given}" in self.failing:
            raise ValueError(f"{name} does not work")


def states(handle: FlowHandle) -> list[State]:
    return [run.state for run in handle.runs()]


def reasons(handle: FlowHandle) -> list[str | None]:
    return [run.reason for run in handle.runs()]


def errors(handle: FlowHandle) -> list[str | None]:
    return [None if run.error is None else run.error.first_line for run in handle.runs()]


def worked_off(process: Driven, handle: FlowHandle) -> list[Run]:
    """Return the runs of a flow after everything has come to rest."""
    process.settle_down()
    return handle.runs()


def a_process(**fields) -> tuple[Heard, Driven]:
    """Return a process that knows the jobs of `Heard`, and what they were given."""
    heard, clock = Heard(), FakeClock()
    app = an_app(clock=clock, **fields)
    heard.declare(app)
    return heard, Driven(app, clock)


def steps(process: Driven):
    """Return the jobs by name, to make steps of."""
    return process.app.jobs
