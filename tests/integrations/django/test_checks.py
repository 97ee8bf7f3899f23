"""What is wrong with a project is told by a system check, with an id and a way out."""

import sys

import pytest
from django.core.checks import run_checks
from django.test import override_settings

from rota.errors import DuplicateJob
from rota.integrations.django import discovery
from tests.integrations.django import settings

AGENCY = "tests.integrations.django.agency"


def told(**rota):
    """Return the ids of what the checks say of this `ROTA`, and the texts with their hints."""
    with override_settings(ROTA=rota):
        found = [message for message in run_checks() if message.id.startswith("rota.")]
    return {message.id: f"{message.msg} | {message.hint}" for message in found}


def test_a_project_that_is_well_has_nothing_to_hear():
    assert told(**settings.ROTA) == {}


@pytest.mark.parametrize(
    ("said", "code", "text"),
    [
        ({"worker": {"concurency": 2}}, "rota.E001", "did you mean 'worker.concurrency'"),
        ({"worker": 3}, "rota.E001", "must be a table"),
        ({"cron": {"cmd": "note"}}, "rota.E001", "cron in settings.ROTA is to be a list"),
        ({"database": "elsewhere"}, "rota.E003", "'elsewhere' is not in DATABASES: default, other"),
        (
            {"tenants": {"source": "tests.integrations.django.agency.places:missing"}},
            "rota.E011",
            "agency_c, which are not in DATABASES",
        ),
        ({"tenants": {"source": "nothing:there"}}, "rota.E012", "'nothing:there' is not module:attribute"),
        ({"cron": ["note"]}, "rota.E004", "entry 1 names no command"),
        ({"cron": [{"cmd": "hourly", "frequenzy": "1d"}]}, "rota.E004", "Did you mean 'frequency'?"),
        ({"cron": [{"cmd": "hourly", "cmd_args": "--persist"}]}, "rota.E004", "cmd_args is to be a list"),
        ({"cron": [{"cmd": "hourly", "backfill": "yes"}]}, "rota.E004", "backfill is to be True or False"),
        ({"cron": [{"cmd": "clearsesions"}]}, "rota.E005", "Did you mean 'clearsessions'?"),
        ({"cron": [{"cmd": "hourly", "frequency": "daily"}]}, "rota.E006", "'daily': a number and one of d, h, m"),
        ({"cron": [{"cmd": "hourly", "time": "4am"}]}, "rota.E006", "time '4am'"),
        ({"cron": [{"cmd": "hourly", "frequency": "6h", "time": "04:00"}]}, "rota.E006", "goes with whole days"),
        ({"cron": [{"cmd": "hourly"}, {"cmd": "hourly"}]}, "rota.E007", "entry 2: 'hourly' is entry 1 already"),
        ({"cron": [{"cmd": "hourly", "backfill": True}]}, "rota.E008", 'parser.add_argument("--run-time")'),
        ({"cron": [{"cmd": "hourly", "last_success": True}]}, "rota.E008", 'parser.add_argument("--last-success")'),
    ],
)
def test_what_is_wrong_is_told_with_a_way_out(said, code, text):
    found = told(**said)

    # What has the commands is read in one piece: where that fails, only that is told.
    assert list(found) == [code]
    assert text in found[code]


def test_jobs_that_cannot_be_taken_in_are_told(monkeypatch):  # R16
    monkeypatch.setattr(discovery, "problem", DuplicateJob("keep", first="a.py:1", second="b.py:2"))

    assert "a.py:1" in told(**settings.ROTA)["rota.E002"]


def test_a_store_on_sqlite_whose_transactions_begin_as_readers_is_warned_of(monkeypatch):
    monkeypatch.delitem(settings.DATABASES["default"]["OPTIONS"], "transaction_mode")

    assert '"transaction_mode": "IMMEDIATE"' in told(**settings.ROTA)["rota.W001"]


def test_tables_that_are_missing_are_told_where_the_database_is_asked(monkeypatch, tmp_path):
    monkeypatch.setitem(settings.DATABASES["default"], "NAME", tmp_path / "empty.sqlite3")

    found = [message.id for message in run_checks(databases=["default"]) if message.id.startswith("rota.")]

    assert found == ["rota.W003"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"atempts": 3}, "nothing reads 'atempts' | There are: attempts, SCHEDULES."),
        (
            {"SCHEDULES": {f"{AGENCY}.tasks.ad": "daily at 02:00"}},
            f"there is no task '{AGENCY}.tasks.ad' | Did you mean '{AGENCY}.tasks.add'?",
        ),
        ({"SCHEDULES": {f"{AGENCY}.tasks.add": "daily at 02:00"}, "attempts": 2}, None),
    ],
)
def test_options_of_tasks_that_nothing_reads_are_told(options, text):
    with override_settings(TASKS={"default": {**settings.TASKS["default"], "OPTIONS": options}}):
        found = told(**settings.ROTA).get("rota.E014")

    assert found == text if text is None else text in found


@pytest.mark.parametrize(("command", "told_of"), [("runserver", True), ("test", False)])
def test_a_store_in_memory_is_warned_of_but_while_the_project_is_tested(monkeypatch, command, told_of):
    monkeypatch.setitem(settings.DATABASES["default"], "NAME", ":memory:")
    monkeypatch.setattr(sys, "argv", ["manage.py", command])

    assert ("rota.W002" in told(**settings.ROTA)) is told_of


def test_who_migrates_is_not_told_first_that_tables_are_missing(monkeypatch, tmp_path):
    monkeypatch.setitem(settings.DATABASES["default"], "NAME", tmp_path / "empty.sqlite3")
    monkeypatch.setattr(sys, "argv", ["manage.py", "migrate"])

    assert [message.id for message in run_checks(databases=["default"]) if message.id.startswith("rota.")] == []
