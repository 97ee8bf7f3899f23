"""Parked tenants, canaries, and jobs that wait for others: what tests of gates set up."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from rota import Retry, Rota, RunContext, every
from rota.core.controls import Circuit, Control, ControlKind
from rota.core.model import Round, Trigger
from rota.core.rounds import Expansion, expansion_run
from rota.ports import Store
from tests.engine.house import Driven

ONCE = Retry(attempts=1)


def park(store: Store, tenant: str, *, now: datetime, parked: bool = True) -> None:
    """Say that a tenant's database could not be reached, or that it can be again."""
    circuit = Circuit(failures=3, reason="refused", parked_at=now if parked else None)
    known = store.control(ControlKind.CIRCUIT, tenant)
    control = Control(kind=ControlKind.CIRCUIT, name=tenant, body=circuit.body(), changed_at=now)
    if known is not None:
        control = replace(control, version=known.version + 1)
    assert store.put_control(control, expected_version=known.version if known else None)


def start(process: Driven, name: str, **fields: Any) -> Round:
    """Start a job by hand as an operator does, with a canary or a number of places."""
    app, now = process.app, process.clock.now()
    job = app.jobs[name].job
    round_ = Round(
        id=process.clock.new_id(), job=name, trigger=Trigger.MANUAL, places=fields.pop("places", None), created_at=now
    )
    expansion = Expansion(args='{"args":[],"kwargs":{}}', **fields)
    run = expansion_run(round_, expansion, job, now=now, new_id=process.clock.new_id)
    app.store.add_rounds([round_], [run], now=now)
    return round_


def import_and_report(seen: list[tuple[str, str | None]], failing: set[str], **report: Any) -> Callable[[Rota], None]:
    """Return the declaration of an import each hour that fails for some tenants, and of a report at 13:30 that needs
    it."""

    def declare(app: Rota) -> None:
        @app.job(name="import", schedule=every().hour.at(":00"), per_tenant=True, retry=ONCE)
        def import_(ctx: RunContext) -> None:
            if ctx.tenant.id in failing:
                raise ValueError("no file")
            seen.append(("import", ctx.tenant.id))

        options = {"per_tenant": True, "depends_on": [import_], "retry": ONCE} | report

        @app.job(name="report", schedule=every().day.at("13:30"), **options)
        def made(ctx: RunContext) -> None:
            seen.append(("report", ctx.tenant.id if options["per_tenant"] else None))

    return declare
