"""`flask rota`, and how other processes find the application."""

import sys

import pytest
from flask import Flask
from msgspec import json

from rota import State
from rota.cli.root import root
from rota.errors import AppNotFound
from rota.integrations.flask import FlaskRota
from rota.integrations.flask.loading import NAME, PLACE, PROJECT
from rota.place import find_app, place_of
from rota.queries import RunQuery
from rota.settings import Settings
from tests.integrations.flask.test_extension import an_application

MODULE = """
from flask import Flask
from rota.integrations.flask import FlaskRota

jobs = FlaskRota(store="memory://")
jobs.job(name="greet")(lambda: None)

def create_app({parameter}):
    app = Flask("shop", root_path={folder!r})
    app.config["ROTA"] = {{"worker": {{"concurrency": 3}}}}
    {told}
    return app
"""


@pytest.fixture(autouse=True)
def _nothing_is_loaded(monkeypatch):
    monkeypatch.delitem(sys.modules, PROJECT, raising=False)
    monkeypatch.delenv(NAME, raising=False)


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A function that writes a module with a factory, which FLASK_APP names."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(name, *, told="jobs.init_app(app)", parameter=""):
        text = MODULE.format(told=told, parameter=parameter, folder=str(tmp_path))
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.setenv(NAME, name)
        return name

    yield write
    sys.modules.pop(PROJECT, None)


def a_shop(*jobs, **config):
    app = an_application(ROTA_STORE="memory://", **config)
    rota = FlaskRota(app)
    for name in jobs:
        rota.job(name=name)(lambda: None)
    return app


def test_every_command_works_on_the_application_in_whose_name_it_is_called():
    for name in ("greet", "part"):
        app = a_shop(name)
        runner = app.test_cli_runner()

        listed = runner.invoke(args=["rota", "jobs", "--json"])
        enqueued = runner.invoke(args=["rota", "enqueue", name])

        assert (listed.exit_code, enqueued.exit_code) == (0, 0), listed.output
        assert [job["name"] for job in json.decode(listed.stdout)["data"]] == [name]
        assert [run.state for run in app.extensions["rota"].store.runs(RunQuery())] == [State.QUEUED]


def test_it_is_the_command_rota_with_its_exit_codes_and_its_help():
    runner = a_shop().test_cli_runner()

    unknown, alone = runner.invoke(args=["rota", "show", "0123456789"]), runner.invoke(args=["rota", "--help"])

    assert (unknown.exit_code, alone.exit_code) == (3, 0)
    assert all(name in alone.output for name in root.list_commands(None))


def test_another_process_finds_the_application_that_flask_would_load(module):
    module("shop_of_factory")

    found = find_app(PLACE)

    assert sorted(found.jobs) == ["greet"]
    assert place_of(found, named=PLACE) == PLACE


def test_a_process_that_finds_the_extension_in_its_module_loads_the_application(module):
    found = find_app(f"{module('shop_of_children')}:jobs")

    found.configure(Settings())

    assert (found.application.name, found.settings.worker.concurrency) == ("shop", 3)


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ({}, "no Flask application, which FLASK_APP names"),
        ({"told": "pass"}, "has not been given to this FlaskRota"),
        ({"parameter": "config"}, "could not call it without arguments"),
    ],
)
def test_an_extension_without_an_application_says_so(named, why, module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if named:
        module(f"shop_with_{next(iter(named))}", **named)

    with pytest.raises(AppNotFound, match=why):
        FlaskRota().configure(Settings())


def test_an_application_without_rota_says_so(monkeypatch):
    with Flask("bare").app_context(), pytest.raises(AppNotFound, match="'bare' has no FlaskRota"):
        find_app(PLACE)
