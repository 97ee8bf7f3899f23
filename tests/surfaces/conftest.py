"""A small application behind the command, and the command run in this process."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result

from rota.app import Rota
from rota.cli.root import root
from rota.cli.session import Session
from rota.context import RunContext
from rota.core.builder import every
from rota.core.model import Tenant
from rota.core.policy import CatchUp, Retry
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.values import NOON

TENANTS = [Tenant(id="acme", tags=("gold",)), Tenant(id="globex", tags=("gold",)), Tenant(id="hooli")]
ONCE = Retry(attempts=1)
# What a tenant can put into an error: colour, a bell, an override of direction, a link.
HOSTILE = "\x1b[31mred\x07 \u202egnp.exe \x9b2J"


def an_app(*, clock: FakeClock | None = None, **fields: Any) -> Rota:
    """Return an application with jobs that succeed, fail for one tenant, and fail for all."""
    app = Rota(MemoryStore(clock=clock) if clock else MemoryStore(), tenants=TENANTS, clock=clock, **fields)

    @app.job(schedule=every().hour, per_tenant=True, retry=ONCE, catch_up=CatchUp.all())
    def sync(ctx: RunContext) -> dict[str, int]:
        """Fetch the mail of a tenant."""
        return {"mails": 3}

    @app.job(per_tenant=True, retry=ONCE)
    def report(ctx: RunContext, year: int = 2026) -> int:
        """Write the report of a tenant."""
        if ctx.tenant.id == "hooli":
            raise ValueError(f"no figures {HOSTILE}")
        return year

    @app.job(retry=ONCE)
    def broken() -> None:
        raise OSError("mysql://ops:hunter2@db1 is away")

    return app


@pytest.fixture
def app() -> Rota:
    """An application in real time, for commands that execute."""
    return an_app()


@pytest.fixture
def noon_app() -> Rota:
    """The application at a noon that stays, for what is shown."""
    return an_app(clock=FakeClock(NOON))


Command = Callable[..., Result]


@pytest.fixture
def rota(app: Rota, tmp_path) -> Command:
    """Run the command on the application in real time."""
    return lambda *args, **more: run(app, *args, directory=tmp_path, **more)


@pytest.fixture
def noon_rota(noon_app: Rota, tmp_path) -> Command:
    """Run the command on the application at noon."""
    return lambda *args, **more: run(noon_app, *args, directory=tmp_path, **more)


def run(app: Rota | None, *args: str, directory: Any = None, **more: Any) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(root, list(args), obj=Session(app=app, directory=directory), **more)


def data(result: Result) -> Any:
    """Return the data of the one JSON document on standard output."""
    document = json.loads(result.stdout)
    assert document["schema"].startswith("rota."), document
    return document["data"]


def error(result: Result) -> dict[str, Any]:
    """Return the error document on standard error."""
    return json.loads(result.stderr)["error"]


HOUR = timedelta(hours=1)
