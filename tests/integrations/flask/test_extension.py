"""The extension and its application: made together or apart, told once, twice, or of another."""

import asyncio
import sys
from importlib import import_module
from types import ModuleType

import pytest
from flask import Flask, current_app, g

from rota import testing
from rota.errors import ConfigurationError, MissingExtra, UnknownSetting
from rota.integrations.flask import FlaskRota
from rota.queries import RunQuery

PACKAGE = "rota.integrations.flask"


def an_application(name="shop", **config):
    app = Flask(name)
    app.config |= config
    return app


def test_it_is_told_of_its_application_by_a_factory_or_at_once():
    app = an_application()

    assert FlaskRota(app).application is app
    with pytest.raises(ConfigurationError, match=r"rota\.init_app\(app\)"):
        FlaskRota().store  # noqa: B018  # asking is enough


def test_to_be_told_twice_changes_nothing():
    app = an_application()
    jobs = FlaskRota(app, store="memory://")
    store = jobs.store

    jobs.init_app(app)

    assert jobs.store is store
    assert len(app.teardown_appcontext_funcs) == 1


def test_two_of_them_for_one_application_are_refused():
    app = an_application()
    FlaskRota(app)

    with pytest.raises(ConfigurationError, match="'shop' has another FlaskRota already"):
        FlaskRota(app)


def test_a_factory_that_is_called_again_takes_its_jobs_along():
    jobs = FlaskRota()
    jobs.job(name="noop")(lambda: None)
    for concurrency in (3, 4):
        jobs.init_app(an_application(ROTA={"store": {"url": "memory://"}, "worker": {"concurrency": concurrency}}))
        assert jobs.settings.worker.concurrency == concurrency
        jobs.jobs["noop"].enqueue()

        assert len(jobs.store.runs(RunQuery())) == 1


def test_a_file_that_was_imported_by_two_names_is_refused(monkeypatch):
    for name in ("shop", "src.shop"):
        module = ModuleType(name)
        module.__file__, module.rota = "/srv/src/shop.py", FlaskRota()
        monkeypatch.setitem(sys.modules, name, module)

    with pytest.raises(ConfigurationError, match=r"imported twice, as 'src\.shop' and as 'shop'"):
        module.rota.init_app(an_application())


@pytest.mark.parametrize(
    ("missing", "module", "extra"),
    [("flask", PACKAGE, "flask"), ("flask_sqlalchemy", f"{PACKAGE}.sessions", "flask-sqlalchemy")],
)
def test_what_is_not_installed_is_named(missing, module, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(sys.modules, module)

    with pytest.raises(MissingExtra, match=rf"pip install 'rota\[{extra}\]'"):
        import_module(module)


def test_the_application_before_is_not_worked_for_any_more():
    first = an_application("first")
    jobs = FlaskRota(first, store="memory://", tenants=["acme"])
    jobs.init_app(an_application("second"))

    with first.app_context(), pytest.raises(ConfigurationError, match="not to this one, 'first'"), jobs.tenant("acme"):
        pass


@pytest.mark.parametrize("executor", ["thread", "asyncio"])
def test_a_run_has_an_application_context_of_its_own_which_is_torn_down(executor):  # R21
    app = an_application()
    jobs = FlaskRota(app)
    seen = []

    @app.teardown_appcontext
    def torn_down(error):
        seen.append(type(error).__name__)

    def look(fails: bool) -> None:
        seen.append((current_app.name, list(g)))
        g.left_behind = True
        if fails:
            raise KeyError

    async def alook(fails: bool) -> None:
        look(fails)
        await asyncio.sleep(0)

    job = jobs.job(name="look")(look if executor == "thread" else alook)
    with testing.capture(jobs) as captured:
        for fails in (True, False):
            job.enqueue(fails)
        captured.drain()

    assert seen == [("shop", []), "KeyError", ("shop", []), "NoneType"]


def test_settings_are_tables_and_single_keys_and_the_environment_wins(monkeypatch):
    monkeypatch.setenv("ROTA_WORKER__DRAIN", "7s")
    said = {"worker": {"concurrency": 3, "drain": "1m"}, "timezone": "Europe/Paris"}

    settings = FlaskRota(an_application(ROTA=said, ROTA_WORKER__PROCESSES=2, ROTA_STORE="memory://")).settings

    assert (settings.worker.concurrency, settings.worker.processes, settings.timezone) == (3, 2, "Europe/Paris")
    assert (settings.worker.drain.total_seconds(), settings.store.url) == (7, "memory://")


@pytest.mark.parametrize(
    ("config", "error", "why"),
    [
        ({"ROTA": "sqlite://"}, ConfigurationError, "a dict with the tables"),
        ({"ROTA": {"workers": {}}}, UnknownSetting, r'unknown setting .workers. in app.config\["ROTA"\]'),
        ({"ROTA_WORKER__CONCURENCY": 3}, UnknownSetting, "ROTA_WORKER__CONCURRENCY"),
        ({"ROTA": {"worker": {"concurrency": "many"}}}, ConfigurationError, "worker.concurrency"),
        ({"ROTA": {"bind": 3}}, ConfigurationError, "SQLALCHEMY_BINDS"),
        ({"ROTA": {"bind": "shop"}}, ConfigurationError, "one of Flask-SQLAlchemy"),
    ],
)
def test_what_cannot_be_used_is_said_when_the_application_is_made(config, error, why):
    with pytest.raises(error, match=why):
        FlaskRota(an_application(**config))
