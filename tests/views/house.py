"""A process with one scheduled job, and the questions that are asked of it: what situations are made of."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from rota import Retry, Rota, RunContext, Tenant, every
from rota.core.model import Run
from rota.errors import TenantListFailed
from rota.views.runs import find_round
from rota.views.why import Code, Why, ask_job, ask_round, ask_run, ask_schedule
from tests.engine.house import Driven, driven, runs_of
from tests.values import NOON, a_worker

ONCE = Retry(attempts=1)
Situation = Callable[[], tuple[Why, str]]
SITUATIONS: dict[Code, Situation] = {}


def situation(code: Code) -> Callable[[Situation], Situation]:
    """Keep what the function builds as the situation for a reason: the answer, and what it says of the reason."""

    def keep(build: Situation) -> Situation:
        SITUATIONS[code] = build
        return build

    return keep


def jobs(failing: set[str] | None = None, **policy: Any) -> Callable[[Rota], None]:
    """Return the declaration of `sync`, each hour for every tenant, and of `mail`, which somebody starts."""

    def declare(app: Rota) -> None:
        @app.job(**{"schedule": every().hour.at(":00"), "per_tenant": True, "retry": ONCE} | policy)
        def sync(ctx: RunContext) -> None:
            if failing and ctx.tenant.id in failing:
                raise ValueError("no connection 17")

        @app.job(retry=ONCE)
        def mail() -> None: ...

    return declare


def a_process(failing: set[str] | None = None, *, policy: Any = None, **fields: Any) -> Driven:
    process = driven(**fields)(jobs(failing, **policy or {}))
    process.settle_down()
    return process


def alive(process: Driven, **fields: Any) -> None:
    """Let a process live that works and schedules."""
    now = process.clock.now()
    seen = {"started_at": now, "last_seen": now, "stamps": {"scheduler": now}}
    process.app.store.register(a_worker(**seen | fields))


def of_job(process: Driven, name: str = "sync", **fields: Any) -> Why:
    return ask_job(process.app, name, **{"tenant": None, "slot": None, "count": 1} | fields)


def of_schedule(process: Driven, name: str, **fields: Any) -> Why:
    schedule = process.app.store.schedule(name)
    assert schedule is not None
    return ask_schedule(process.app, schedule, **{"tenant": None, "slot": None, "count": 1} | fields)


def of_run(process: Driven, **query: Any) -> Why:
    [run, *_] = runs_of(process.app, **query)
    return ask_run(process.app, run)


def of_round(process: Driven, round_id: str) -> Why:
    round_ = find_round(process.app, round_id)
    assert round_ is not None
    return ask_round(process.app, round_)


def at(hour: int, minute: int = 0) -> datetime:
    return NOON.replace(hour=hour, minute=minute)


def enqueued(process: Driven, **fields: Any) -> Run:
    handle = process.app.jobs["mail"].using(**fields).enqueue()
    found = process.app.store.run(handle.id)
    assert found is not None
    return found.run


class Source:
    """A source of tenants that can fail."""

    allow_empty = True

    def __init__(self, *tenants: str) -> None:
        self.names = list(tenants)
        self.is_away = False

    def tenants(self) -> list[Any]:
        if self.is_away:
            raise TenantListFailed("the tenants cannot be listed: connection refused")
        return [Tenant(id=name) for name in self.names]
