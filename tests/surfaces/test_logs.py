"""Log lines: harmless on a terminal, one object per line elsewhere, and never a password."""

import contextvars
import json
import logging
import sys
from datetime import timedelta

import pytest

from rota.cli.logs import Floods
from rota.context import current_run
from rota.engine.echo import A_SECOND, STREAMS
from rota.logs import ConsoleLine, JsonLine, RunFacts
from tests.clocks import FakeClock
from tests.values import a_run


def a_record(message, *args, **facts):
    record = logging.LogRecord("rota.engine", logging.WARNING, __file__, 1, message, args, None)
    vars(record).update(facts)
    return record


@pytest.mark.parametrize("form", [ConsoleLine(), JsonLine()])
def test_a_log_line_has_the_facts_and_no_password_and_no_control_character(form):  # R65
    line = form.format(a_record("lost %s", "mysql://ops:hunter2@db \x1b[2J\nforged", run="r1", tenant="acme\x07"))

    assert "hunter2" not in line
    assert line.isprintable()
    assert "r1" in line


def test_a_json_line_is_one_object_with_its_facts():
    told = json.loads(JsonLine().format(a_record("lease lost", run="r1")))

    assert {name: told[name] for name in ("level", "logger", "message", "run")} == {
        "level": "warning",
        "logger": "rota.engine",
        "message": "lease lost",
        "run": "r1",
    }


@pytest.mark.parametrize("form", [ConsoleLine(), JsonLine()])
def test_a_traceback_is_logged_without_the_password_in_it(form):  # R65
    record = a_record("failed")
    try:
        raise ValueError("mysql://ops:hunter2@db is away")
    except ValueError:
        record.exc_info = sys.exc_info()

    line = form.format(record)

    assert "ValueError: mysql://ops:***@db" in line
    assert "hunter2" not in line


def test_a_record_that_is_logged_inside_a_run_carries_run_job_and_tenant():  # R44
    run = a_run(tenant="acme")
    record, own = a_record("fetched"), a_record("fetched", job="another")

    def inside():
        current_run.set(run)
        RunFacts().filter(record)
        RunFacts().filter(own)

    contextvars.Context().run(inside)
    outside = a_record("fetched")
    RunFacts().filter(outside)

    told = json.loads(JsonLine().format(record))
    assert (told["run"], told["job"], told["tenant"]) == (run.id, "report", "acme")
    assert json.loads(JsonLine().format(own))["job"] == "another"
    assert "run" not in json.loads(JsonLine().format(outside))


def test_a_run_that_floods_its_log_leaves_room_for_others_and_is_told_how_much_is_missing(monkeypatch):  # F21
    told: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: told.append(record.getMessage())
    handler.addFilter(Floods(clock=(clock := FakeClock())))
    logger = logging.getLogger("a flood")
    monkeypatch.setattr(logger, "propagate", False)
    logger.addHandler(handler)
    logging.getLogger(STREAMS["stdout"]).addHandler(handler)

    def inside(count):
        current_run.set(a_run())
        for number in range(count):
            logger.warning("line %d", number)
        clock.tick(timedelta(seconds=1))
        logger.warning("the next second")

    contextvars.Context().run(inside, 10_000)
    contextvars.Context().run(inside, 3)
    logging.getLogger(STREAMS["stdout"]).removeHandler(handler)
    logger.removeHandler(handler)

    flood, rest = told[: A_SECOND + 2], told[A_SECOND + 2 :]
    assert flood[:A_SECOND] == [f"line {number}" for number in range(A_SECOND)]
    assert flood[A_SECOND].startswith(f"{10_000 - A_SECOND} lines of this run are left out")
    assert flood[-1] == "the next second"
    assert rest == ["line 0", "line 1", "line 2", "the next second"]
