"""`rota schedules`: every change by hand, what it refuses, and what it leaves in the audit."""

import pytest

from rota.core.model import ScheduleState
from rota.queries import AuditQuery, RoundQuery
from tests.engine.house import Driven
from tests.surfaces.conftest import data, error
from tests.values import HOUR, NOON


def test_a_schedule_is_put_shown_listed_and_deleted(noon_app, noon_rota):  # R5, R6
    put = noon_rota(
        "schedules", "put", "weekly", "report", "every monday at 06:00 Europe/Paris", "--tenant", "acme",
        "--arg", "year=2025", "--catch-up", "all", "--catch-up-limit", "3", "--json",
    )  # fmt: skip
    assert put.exit_code == 0, put.output
    assert data(put)["next_at"] == "2026-06-08T04:00:00Z"

    shown = noon_rota("schedules", "show", "weekly", "-n", "2")
    assert "every monday at 06:00 Europe/Paris" in shown.stdout
    assert "all at most 3" in shown.stdout and "acme" in shown.stdout and "2025" not in shown.stdout
    listed = {row["name"]: row for row in data(noon_rota("schedules", "--json"))}
    assert (listed["weekly"]["origin"], listed["sync"]["origin"]) == ("row", "code")

    assert noon_rota("schedules", "delete", "weekly", "--yes").exit_code == 0
    assert noon_rota("schedules", "show", "weekly", "--json").exit_code == 3


def test_a_schedule_of_the_code_is_overridden_and_restored_and_not_deleted(noon_app, noon_rota):  # R5
    over = noon_rota("schedules", "override", "sync", "--when", "every 6 hours", "--reason", "load", "--json")
    assert (data(over)["origin"], data(over)["is_overridden"]) == ("code", True)
    assert "code says     every hour" in noon_rota("schedules", "show", "sync").stdout
    assert "code*" in noon_rota("schedules").stdout

    refused = noon_rota("schedules", "delete", "sync", "--yes", "--json")
    assert (refused.exit_code, error(refused)["code"]) == (5, "schedule_in_code")
    assert data(noon_rota("schedules", "restore", "sync", "--json"))["is_overridden"] is False
    again = noon_rota("schedules", "restore", "sync")
    assert again.exit_code == 5 and "not overridden" in again.stderr


@pytest.mark.parametrize("args", [["put", "sync", "sync", "every hour"], ["override", "sync"]])
def test_how_old_a_success_may_be_is_said_and_shown(noon_app, noon_rota, args):  # R5, R51
    assert "fresh within" not in noon_rota("schedules", "show", "sync").stdout

    assert noon_rota("schedules", *args, "--fresh-within", "26h").exit_code == 0

    assert "fresh within  1d2h" in noon_rota("schedules", "show", "sync").stdout
    shown = data(noon_rota("schedules", "show", "sync", "--json"))
    assert (shown["schedule"]["fresh_within"], shown["code"]["fresh_within"]) == ("P1DT7200S", None)
    [entry] = noon_app.store.audit(AuditQuery())
    assert "P1DT7200S" in entry.detail


def test_a_pause_says_why_until_when_and_by_whom(noon_app, noon_rota):  # R12
    assert noon_rota("schedules", "pause", "sync").exit_code == 2
    assert noon_rota("schedules", "pause", "sync", "--reason", "migration", "--until", "+2h").exit_code == 0

    stored = noon_app.schedules.get("sync")
    assert (stored.state, stored.reason, stored.paused_until) == (ScheduleState.PAUSED, "migration", NOON + 2 * HOUR)
    assert stored.paused_by
    assert noon_rota("schedules", "resume", "sync").exit_code == 0
    assert noon_rota("schedules", "resume", "sync").exit_code == 5


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["put", "x", "nobody", "hourly"], 3, "no job 'nobody'"),
        (["put", "x", "report", "hourly", "--tenant", "acmee"], 3, "did you mean 'acme'"),
        (["put", "x", "report", "every blue moon"], 2, "every blue moon"),
        (["put", "x", "report", "daily at 03:00 Moon/Crater"], 2, "Moon/Crater"),
        (["put", "x", "report", "daily at 03:00", "--arg", "decade=3"], 2, "decade"),
        (["put", "x", "report", "at 2026-06-01T09:00"], 5, "--force"),
        (["put", "x", "broken", "daily at 09:00 tenant"], 2, "per_tenant"),
        (["put", "cron_jobs/7", "report", "hourly"], 2, "cron_jobs"),
        (["put", " ", "report", "hourly"], 2, "is no name"),
        (["put", "x", "report", "hourly", "--jitter", "soon"], 2, "jitter"),
        (["put", "x", "report", "hourly", "--fresh-within", "soon"], 2, "fresh_within"),
        (["override", "sync", "--fresh-within", "0s"], 2, "longer than nothing"),
        (["override", "sync", "--fresh-within", "36501d"], 2, "longer than a century"),
        (["put", "x", "report", "hourly", "--catch-up-limit", "3"], 2, "--catch-up all"),
        (["override", "sync"], 2, "say what to change"),
        (["pause", "snyc", "--reason", "x"], 3, "did you mean 'sync'"),
        (["run-now", "nothing"], 3, "no schedule"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(noon_app, noon_rota, args, code, said):  # R64
    noon_app.schedules.sync()
    before = noon_app.schedules.list()

    result = noon_rota("schedules", *args)

    assert result.exit_code == code, result.output
    assert said in result.stderr
    assert noon_app.schedules.list() == before
    assert noon_app.store.audit(AuditQuery()) == []


def test_a_time_that_is_over_runs_now_when_forced(noon_app, noon_rota):
    put = noon_rota("schedules", "put", "x", "report", "at 2026-06-01T09:00", "--force", "--json")

    assert data(put)["next_at"] == "2026-06-01T09:00:00Z"


def test_a_time_at_which_it_ran_already_is_refused_also_when_forced(noon_app, noon_rota):  # R7, R64; G4
    put = ("schedules", "put", "x", "report", "at 2026-06-01T09:00", "--force")
    assert noon_rota(*put).exit_code == 0
    Driven(noon_app, noon_app.clock).settle_down()
    [round_] = [one for one in noon_app.store.rounds(RoundQuery()) if one.schedule == "x"]
    # Whatever became of the row in the meantime: the slot stays taken.
    noon_app.schedules.delete("x")

    again = noon_rota(*put)

    assert again.exit_code == 5
    assert f"rota retry {round_.id}" in again.stderr
    assert [one.name for one in noon_app.schedules.list() if one.name == "x"] == []


def test_a_run_now_is_a_round_by_hand(noon_app, noon_rota):  # R12
    before = noon_app.schedules.get("sync")

    started = data(noon_rota("schedules", "run-now", "sync", "--json"))

    assert len(started["round"]) == 32
    assert noon_app.schedules.get("sync") == before


def test_each_change_leaves_an_entry_with_its_reason(noon_app, noon_rota):  # R12
    for args in (
        ["put", "x", "report", "hourly"],
        ["pause", "x"],
        ["resume", "x"],
        ["override", "sync", "--when", "every 6 hours"],
        ["restore", "sync"],
        ["run-now", "sync"],
        ["delete", "x", "--yes"],
    ):
        assert noon_rota("schedules", *args, "--reason", "because").exit_code == 0

    entries = noon_app.store.audit(AuditQuery())[::-1]
    actions = [entry.action.removeprefix("schedule.") for entry in entries]
    assert actions == ["put", "pause", "resume", "override", "restore", "run", "delete"]
    assert {(entry.via, entry.reason) for entry in entries} == {("cli", "because")}


def test_a_long_list_is_read_page_by_page(noon_app, noon_rota):
    for number in range(5):
        noon_app.schedules.put(f"row-{number}", job="report", when="hourly")

    first = noon_rota("schedules", "list", "--limit", "3", "--json")
    rest = noon_rota("schedules", "list", "--after", data(first)[-1]["name"], "--json")

    assert [row["name"] for row in data(first)] == ["row-0", "row-1", "row-2"]
    assert [row["name"] for row in data(rest)] == ["row-3", "row-4", "sync"]
