"""What is asked about things that are not there, or not yet: the answer names them and the way out (R64)."""

import pytest

from rota.core.builder import every
from rota.core.counting import counted
from tests.engine.test_cron_jobs import Fixture
from tests.surfaces.conftest import data, error, run
from tests.values import HOUR, MINUTE


def test_a_tenant_that_nobody_knows_ends_with_3_and_the_close_names(noon_rota):  # R14
    result = noon_rota("explain", "sync", "--tenant", "acmee")

    assert (result.exit_code, result.stdout) == (3, "")
    assert "no tenant 'acmee'; did you mean 'acme'" in result.stderr and "try: rota tenants" in result.stderr


@pytest.mark.parametrize("word", ["snyc", "fullmoon", "abcdef12"])
def test_a_word_that_names_nothing_is_first_called_unknown_then_unread(noon_rota, word):
    result = noon_rota("explain", word)

    assert result.exit_code == 3
    assert f"no job, schedule, run, round or backfill {word!r}" in result.stderr
    assert "try: rota jobs" in result.stderr
    if word != "abcdef12":
        assert "; read as a schedule: " in result.stderr
    assert ("did you mean 'sync'" in result.stderr) is (word == "snyc")


@pytest.mark.parametrize("command", ["show", "retry", "wait", "cancel"])
def test_a_run_or_round_that_is_not_there_is_named_with_a_way_out(noon_rota, command):
    result = noon_rota(command, "nope")

    assert result.exit_code == 3
    assert "no run or round 'nope'" in result.stderr or (command == "wait" and "no run 'nope'" in result.stderr)
    assert "try: rota runs, or rota rounds" in result.stderr
    assert error(noon_rota(command, "nope", "--json"))["hint"] == "rota runs, or rota rounds"


def test_a_text_in_the_zone_of_the_tenant_is_explained_for_a_tenant_in_the_zone_asked_for(noon_rota):  # R15
    shown = noon_rota("explain", "daily at 02:30 tenant", "--tz", "Asia/Tokyo", "-n", "1").stdout

    assert shown.startswith("daily at 02:30, in the zone of the tenant; for one in Asia/Tokyo")
    assert "17:30 UTC" in shown


def test_sentences_are_in_the_zone_asked_for_and_documents_in_utc(noon_app, noon_rota):
    noon_app.schedules.sync()
    shown = noon_rota("explain", "sync", "--slot", "2026-06-01T13:00Z", "--tz", "Asia/Tokyo").stdout
    document = data(noon_rota("explain", "sync", "--slot", "2026-06-01T13:00Z", "--tz", "Asia/Tokyo", "--json"))

    assert "slot is to come: 2026-06-01 22:00 JST" in shown
    assert "2026-06-01 13:00 UTC" in document["subject"]


def test_slots_are_shown_of_one_schedule_by_its_name(noon_app, noon_rota):
    noon_app.schedules.put("often", job="sync", when="every 30 minutes")

    shown = noon_rota("slots", "often", "--since", "2026-06-01")
    unknown = noon_rota("slots", "oftne")

    assert shown.stdout.startswith("2026-06-01  often  ") and len(shown.stdout.splitlines()) == 1
    assert (unknown.exit_code, "did you mean 'often'" in unknown.stderr) == (3, True)


def test_a_schedule_with_very_many_slots_has_one_line_an_hour(noon_app, noon_rota):
    noon_app.job(name="beat", schedule=every().minute)(lambda: None)

    lines = noon_rota("slots", "beat", "--since", "2026-06-01T09:30Z", "--tz", "Europe/Paris").stdout.splitlines()

    assert [line[:24] for line in lines] == [f"2026-06-01 {hour}:00 +0200  "[:24] for hour in (11, 12, 13)]
    assert [line.count("◇") for line in lines] == [30, 60, 60]


@pytest.mark.parametrize(("count", "said"), [(0, "0 runs"), (1, "1 run"), (1204, "1,204 runs")])
def test_one_is_said_in_the_singular(count, said):
    assert counted(count, "run") == said


def test_a_single_run_is_counted_as_one(noon_app, noon_rota):
    noon_app.start_run("broken")

    assert "1 run\n" in noon_rota("runs").stderr
    assert "1 round\n" in noon_rota("rounds").stderr


# --- after a pause ---


@pytest.mark.parametrize("target", [["sync"], ["--schedule", "sync"], ["--tenant", "acme"]])
def test_a_pause_in_which_no_slot_lay_leaves_nothing_to_make_up(noon_app, noon_rota, target):  # R12
    noon_app.schedules.sync()
    noon_rota("pause", *target, "--reason", "migration")
    noon_app.clock.tick(10 * MINUTE)

    resumed = noon_rota("resume", *target)

    assert resumed.exit_code == 0 and "backfill" not in resumed.stdout


@pytest.mark.parametrize(
    ("target", "line"),
    [
        (["sync"], "rota backfill sync --since 2026-06-01T12:00:00+00:00 --until now"),
        (["--schedule", "sync"], "rota backfill sync --since 2026-06-01T12:00:00+00:00 --until now"),
        (["--tenant", "acme"], "rota backfill sync --tenant acme --since 2026-06-01T12:00:00+00:00 --until now"),
    ],
)
def test_a_pause_in_which_a_slot_lay_ends_with_how_to_make_it_up(noon_app, noon_rota, target, line):  # R12
    noon_app.schedules.sync()
    noon_rota("pause", *target, "--reason", "migration")
    noon_app.clock.tick(HOUR)

    assert line in noon_rota("resume", *target).stdout


def test_a_schedule_that_goes_on_says_how_to_make_up_what_was_missed(noon_app, noon_rota):  # R12
    noon_app.schedules.sync()
    for wait, is_missed in ((10 * MINUTE, False), (HOUR, True)):
        noon_rota("schedules", "pause", "sync", "--reason", "migration")
        noon_app.clock.tick(wait)
        resumed = noon_rota("schedules", "resume", "sync")
        assert ("rota backfill sync --since" in resumed.stdout) is is_missed, resumed.stdout


# --- rows that cannot be ---


def test_a_row_that_was_never_in_order_is_shown_with_what_is_wrong(tmp_path):  # R5, R6
    fixture = Fixture()
    fixture.store.write(id=1, name="report", interval_minutes=60, tenant="nobody")
    fixture.store.write(id=2, name="report", cron="never ever")
    for _ in range(3):
        fixture.keep()

    listed = run(fixture.app, "schedules", directory=tmp_path)
    verdict = run(fixture.app, "status", directory=tmp_path)
    examined = run(fixture.app, "doctor", directory=tmp_path)

    assert "cron_jobs/1" in listed.stdout and "no tenant 'nobody'" in listed.stdout
    assert "cron_jobs/2" in listed.stdout and "never ever" in listed.stdout
    assert verdict.exit_code == 1 and "broken: cron_jobs/1, cron_jobs/2" in verdict.stdout
    assert "cron_jobs/1 is broken" in examined.stdout
    assert [event.schedule for event in fixture.told] == ["cron_jobs/1", "cron_jobs/2"]
