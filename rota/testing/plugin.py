"""Fixtures for pytest, found by it through the entry point `rota`. Imports no application until a test asks."""

from collections.abc import Iterator

import pytest

from rota.app import Rota
from rota.place import named_object
from rota.testing.captured import Captured, capture
from rota.testing.clock import FakeClock

SETTING = "rota_app"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the setting that names the application."""
    parser.addini(SETTING, "the Rota object under test, as module:name", default="")


@pytest.fixture
def rota_app(pytestconfig: pytest.Config) -> Rota:
    """Return the application under test: what the setting `rota_app` names. A project may define its own instead."""
    name = str(pytestconfig.getini(SETTING))
    if not name:
        pytest.fail(f"which application? Set {SETTING} = module:name for pytest, or define a fixture {SETTING}")
    app = named_object(name)
    if not isinstance(app, Rota):
        pytest.fail(f"{SETTING} = {name}: that is a {type(app).__name__}, not a Rota object")
    return app


@pytest.fixture
def rota_clock(rota_app: Rota) -> FakeClock:
    """Return the time that the application goes by: it stands still until a test moves it."""
    return rota_app.clock if isinstance(rota_app.clock, FakeClock) else FakeClock()


@pytest.fixture
def rota_jobs(rota_app: Rota, rota_clock: FakeClock) -> Iterator[Captured]:
    """Capture what the application enqueues in this test."""
    with capture(rota_app, clock=rota_clock) as captured:
        yield captured
