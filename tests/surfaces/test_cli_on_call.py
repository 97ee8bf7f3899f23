"""What a person on call types at night: each answer names the thing, the reason and the way out."""

import pytest
from msgspec.structs import replace

from rota.core.builder import every
from rota.core.model import ScheduleState
from tests.surfaces.conftest import data
from tests.values import HOUR


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["slots", "sync", "--since", "2026-05-20", "--until", "2026-05-19"], 2, "--since 2026-05-20 is not before"),
        (["slots", "sync", "--since", "tomorrow"], 2, "is not before --until now"),
        (["slots", "sync", "--tenant", "acmee"], 3, "did you mean 'acme'"),
        (["pause", "sync", "--reason", "x", "--until", "yesterday"], 2, "name a time to come"),
        (["pause", "nobody", "--reason", "x"], 3, "try: rota jobs"),
        (["pause", "--tenant", "nobody", "--reason", "x"], 3, "try: rota tenants"),
        (["schedules", "show", "nobody"], 3, "try: rota schedules"),
        (["backfills", "show", "nobody"], 3, "try: rota backfills"),
        (["mark-success", "nobody"], 3, "no job 'nobody'"),
        (["mark-success", "sync", "--tenant", "acmee"], 3, "no tenant 'acmee'"),
        (["reset", "nobody"], 3, "no job 'nobody'"),
        (["reset", "sync", "--tenant", "acmee"], 3, "no tenant 'acmee'"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_asked(noon_rota, args, code, said):  # R14, R64
    result = noon_rota(*args)

    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr
    assert "?" not in result.stderr.replace("did you mean 'acme'?", "")


def test_a_week_of_a_schedule_that_is_due_each_minute_is_shown(noon_app, noon_rota):
    noon_app.job(name="beat", schedule=every().minute)(lambda: None)

    shown = noon_rota("slots", "beat")

    assert shown.exit_code == 0, shown.stderr
    assert "10,080 slots" in shown.stderr


def test_each_schedule_of_a_job_has_one_line_a_day(noon_app, noon_rota):
    noon_app.schedules.sync()
    noon_app.schedules.put("often", job="sync", when="every 30 minutes")

    shown = noon_rota("slots", "sync", "--since", "2026-06-01")

    assert [line.rsplit("  ", 1)[0] for line in shown.stdout.splitlines()] == ["2026-06-01  often", "2026-06-01  sync"]


@pytest.mark.parametrize(
    ("tenants", "who"),
    [([], "all tenants"), (["--tenant", "acme,globex"], "acme, globex"), (["--tenant", "@gold"], "acme")],
)
@pytest.mark.parametrize("command", ["mark-success", "reset"])
def test_what_is_asked_before_progress_changes_names_the_tenants(noon_rota, command, tenants, who):
    result = noon_rota(command, "sync", *tenants)

    assert result.exit_code == 2
    assert f"for {who}" in result.stderr and "say --yes" in result.stderr


def test_the_way_back_of_a_mark_names_the_tenants_that_were_marked(noon_rota):  # R14
    result = noon_rota("mark-success", "sync", "--tenant", "acme,globex", "--yes")

    assert result.exit_code == 0
    assert "rota reset sync --tenant acme,globex" in result.stderr


def test_a_schedule_of_a_name_of_its_own_is_marked_and_forgotten_by_that_name(noon_rota):  # R14
    noon_rota("schedules", "put", "often", "sync", "every 20 minutes")

    [marked] = {row["schedule"] for row in data(noon_rota("mark-success", "often", "--yes", "--json"))}
    forgotten = noon_rota("reset", "often", "--yes")

    assert marked == "often"
    assert forgotten.exit_code == 0, forgotten.stderr


def test_a_paused_schedule_says_by_whom_and_until_when_in_the_zone_asked_for(noon_app, noon_rota):  # R12
    noon_app.schedules.sync()
    noon_app.schedules.pause("sync", reason="migration", actor="ana", until=noon_app.clock.now() + 2 * HOUR)

    listed = noon_rota("schedules", "--tz", "Asia/Tokyo").stdout
    shown = noon_rota("schedules", "show", "sync", "--tz", "Asia/Tokyo").stdout

    assert "migration (by ana), until 2026-06-01 23:00:00" in listed
    assert "until         2026-06-01 23:00:00" in shown and "paused by     ana" in shown


def test_the_pause_of_a_schedule_says_since_when_and_its_end_how_to_make_it_up(noon_app, noon_rota):  # R12
    noon_rota("schedules", "put", "often", "report", "every 20 minutes")
    noon_rota("pause", "--schedule", "often", "--reason", "migration")
    noon_app.clock.tick(HOUR)
    noon_rota("pause", "--schedule", "often", "--reason", "takes longer")

    [row] = data(noon_rota("pause", "--json"))
    resumed = noon_rota("resume", "--schedule", "often")

    assert (row["since"], row["reason"]) == ("2026-06-01T12:00:00Z", "takes longer")
    assert "rota backfill often --since 2026-06-01T12:00:00+00:00 --until now" in resumed.stdout


def test_what_the_audit_keeps_beside_a_change_is_a_value_in_json(noon_rota):
    noon_rota("pause", "sync", "--reason", "migration", "--until", "+2h")

    [row] = data(noon_rota("audit", "--json"))

    assert row["detail"] == {"until": "2026-06-01T14:00:00+00:00"}
    assert '{"until":"2026-06-01T14:00:00+00:00"}' in noon_rota("audit").stdout


def test_the_verdict_names_what_is_paused_and_what_failed_for_good(noon_app, noon_rota):  # R7, R12
    noon_app.schedules.sync()
    noon_rota("pause", "--tenant", "acme", "--reason", "moves")
    paused = noon_rota("status").stdout
    once = noon_app.schedules.put("launch", job="report", when="at 2026-06-02T09:00")
    noon_app.store.put_schedule(
        replace(once, state=ScheduleState.FAILED, reason="its round is partial", version=once.version + 1),
        expected_version=once.version,
    )

    failed, examined = noon_rota("status"), noon_rota("doctor")

    assert "1 paused: tenant acme" in paused
    assert "failed for good: launch" in failed.stdout and failed.exit_code == 1
    assert "launch is failed: its round is partial" in examined.stdout
    assert "rota retry its round, or rota schedules delete launch" in examined.stdout
