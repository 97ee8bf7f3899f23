"""The crontabber's list: what is due runs, once, with what it is told; what was missed is made up; what fails is
tried again until it is done."""

import signal
import threading
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from rota import State, testing
from rota.core.model import Outcome
from rota.engine.worker import Worker
from rota.errors import StoreUnavailable
from rota.integrations.django import commands, project, rota
from rota.queries import RunQuery
from tests.integrations.django.agency import calls

START = datetime(2026, 11, 10, 12, tzinfo=UTC)


@pytest.fixture
def jobs():
    """The project in memory, on a clock that stands still, with its schedules known since noon."""
    with testing.capture(rota, now=START) as jobs:
        rota.schedules.sync()
        yield jobs


@pytest.fixture
def clock(jobs):
    """The clock of the project; an outage is what passes on it while nobody works."""
    return jobs.clock


def cron(*words):
    """Return what a command says."""
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def noted():
    """Return the slots that `note` was told, oldest first."""
    return [call["run_time"] for call in calls.MADE if "run_time" in call]


def at(day, hour=4):
    return datetime(2026, 11, day, hour, tzinfo=UTC).isoformat()


def test_what_is_due_runs_once_and_is_told_its_time(clock):
    clock.advance("1d")

    cron("cronrun", "--job", "note")
    cron("cronrun", "--job", "note")

    assert [{"run_time": at(11), "last_success": None, "word": ""}] == calls.MADE


def test_an_outage_of_three_days_is_made_up_in_order_each_told_the_last_success(clock, jobs):  # R8, R9
    clock.advance("3d")

    jobs.drain()

    assert [(call["run_time"], call["last_success"]) for call in calls.MADE if "run_time" in call] == [
        (at(11), None),
        (at(12), at(11)),
        (at(13), at(12)),
    ]


def test_without_backfill_only_the_newest_time_is_made_up(clock, jobs):  # R8
    clock.advance("3d")

    jobs.drain()

    assert [call for call in calls.MADE if call.get("cmd") == "latest"] == [
        {"cmd": "latest", "days": 7, "last_success": None}
    ]


def test_a_failing_day_in_the_middle_holds_back_the_later_ones_until_it_is_done(clock, jobs):  # R8
    calls.FAILING.add(at(12))
    clock.advance("3d")
    jobs.drain()
    assert noted() == [at(11)]

    calls.FAILING.clear()
    clock.advance("2m")
    jobs.drain()

    assert noted() == [at(11), at(12), at(13)]


def test_marked_as_succeeded_nothing_of_the_past_runs(clock, jobs):  # R14
    calls.FAILING.add(at(11))
    clock.advance("3d")
    jobs.drain()

    said = cron("cronmarksuccess", "note")
    calls.FAILING.clear()
    clock.advance("1h")
    jobs.drain()

    assert said == f"note: succeeded until {datetime(2026, 11, 13, 4, tzinfo=UTC)}\n"
    assert noted() == []


def test_the_next_time_after_a_mark_is_told_the_mark(clock, jobs):  # R14
    clock.advance("1d")
    cron("cronmarksuccess", "note")
    clock.advance("1d")

    jobs.drain()

    assert [call for call in calls.MADE if "run_time" in call] == [
        {"run_time": at(12), "last_success": at(11), "word": ""}
    ]


def test_a_reset_command_knows_no_last_success(clock, jobs):  # R14
    clock.advance("1d")
    jobs.drain()

    cron("cronreset", "note")
    clock.advance("1d")
    jobs.drain()

    assert [call for call in calls.MADE if "run_time" in call][-1] == {
        "run_time": at(12),
        "last_success": None,
        "word": "",
    }


def test_by_force_it_runs_now_with_other_arguments_and_counts_as_no_success(clock):  # R12
    cron("cronrun", "--job", "note", "--force", "--job-arg", "word=hello")
    clock.advance("1d")
    cron("cronrun", "--job", "note")

    assert [
        {"run_time": START.isoformat(), "last_success": None, "word": "hello"},
        {"run_time": at(11), "last_success": None, "word": ""},
    ] == calls.MADE


def test_by_force_it_may_be_told_another_time(clock):
    cron("cronrun", "--job", "note", "--force", "--job-arg", "run-time=2027-01-02")

    assert noted() == ["2027-01-02"]


def test_what_failed_by_force_is_not_tried_again(clock):
    calls.FAILING.add("bad")
    with pytest.raises(CommandError):
        cron("cronrun", "--job", "note", "--force", "--job-arg", "word=bad")

    assert [run.state for run in rota.store.runs(RunQuery(jobs=("note",)))] == [State.CANCELLED]


def test_one_command_is_run_and_the_others_stay_due(clock):
    clock.advance("1d")
    cron("cronrun", "--job", "note")
    assert noted() == [at(11)] and len(calls.MADE) == 1

    assert cron("cronrun") == "2 succeeded, 0 failed\n"


def test_an_hourly_command_driven_each_five_minutes_runs_24_times_a_day(clock, jobs):
    for _ in range(24 * 12):
        clock.advance("5m")
        jobs.drain()

    assert calls.MADE.count({"cmd": "hourly"}) == 24


@pytest.mark.parametrize(
    ("start", "days"),
    [(datetime(2026, 3, 28, 12, tzinfo=UTC), 3), (datetime(2026, 10, 24, 12, tzinfo=UTC), 3)],
    ids=["spring", "autumn"],
)
def test_a_daily_command_runs_once_a_day_over_a_clock_change(start, days):  # R3
    with testing.capture(rota, now=start) as jobs:
        rota.schedules.sync()
        jobs.clock.advance(timedelta(days=days))
        jobs.drain()

    slots = [datetime.fromisoformat(slot) for slot in noted()]
    assert [slot - slots[0] for slot in slots] == [timedelta(days=day) for day in range(days)]
    assert slots[0].hour == 4


def test_two_at_once_run_nothing_twice(clock):  # G4
    clock.advance("3d")
    gate = threading.Barrier(2)

    def run():
        gate.wait()
        rota.tick(only=["note"], limit=timedelta(minutes=1))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert noted() == [at(11), at(12), at(13)]


def test_who_is_told_to_end_finishes_what_runs_and_begins_nothing_else(clock, monkeypatch):  # R45
    clock.advance("3d")
    told, drains = threading.Event(), threading.Event()
    stop_claiming = Worker.stop_claiming

    def stop(worker):
        stop_claiming(worker)
        drains.set()

    def note(_, *words, **__):
        told.set()
        assert drains.wait(10)
        calls.MADE.append({"run_time": words[0].removeprefix("--run-time=")})

    monkeypatch.setattr(Worker, "stop_claiming", stop)
    monkeypatch.setattr("rota.integrations.django.commands.call_command", note)

    rota.tick(only=["note"], stop=told.is_set)

    assert noted() == [at(11)]


def test_a_command_that_comes_to_its_end_while_a_drain_stops_what_runs_is_done(clock, jobs, monkeypatch):  # R45
    def told(_, ctx):
        ctx.stop.set("the worker is shutting down", outcome=Outcome.INTERRUPTED)
        return {}

    clock.advance("1d")
    monkeypatch.setattr(commands, "told_of", told)
    monkeypatch.setattr(commands, "call_command", lambda *_, **__: None)

    rota.tick(only=["note"])

    assert [run.state for run in jobs.runs() if run.job == "note"] == [State.SUCCEEDED]


def test_a_store_that_is_away_ends_no_loop(jobs, monkeypatch):
    seen = []

    def tick(**_):
        seen.append("pass")
        if len(seen) == 1:
            raise StoreUnavailable("the server is away")
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(project.rota, "tick", tick)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        cron("cronrun", "--forever", "--every", "1ms")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

    assert seen == ["pass", "pass"]


def test_what_a_command_prints_is_kept_with_its_run(clock):
    clock.advance("1d")
    cron("cronrun", "--job", "note")

    [run] = rota.store.runs(RunQuery(jobs=("note",)))
    lines = [line.text for chunk in rota.store.log(run.id) for line in chunk.lines]
    assert lines[-2:] == [f"note: noted {at(11)}", "note: without an end"]


def test_the_list_says_how_each_stands(clock, jobs):
    calls.FAILING.add(at(11))
    clock.advance("1d")
    jobs.drain()

    said = cron("cronlist")

    assert "note\n  when          daily at 04:00 UTC\n" in said
    assert "  last error    CommandError: cannot note 2026-11-11T04:00:00+00:00\n" in said
    assert "latest --days=7\n" in said


def test_a_list_of_a_store_that_is_away_is_a_message(clock, monkeypatch):
    def away():
        raise StoreUnavailable("the server is away")

    monkeypatch.setattr(rota.schedules, "sync", away)

    with pytest.raises(CommandError, match="the server is away") as told:
        cron("cronlist")
    assert told.value.returncode == 4


@pytest.mark.parametrize("command", ["cronrun --job", "cronreset", "cronmarksuccess"])
def test_a_name_that_is_not_in_the_list_is_told_with_the_close_ones(clock, command):  # R14
    with pytest.raises(CommandError, match="did you mean 'note'") as told:
        cron(*command.split(), "nite")

    assert told.value.returncode == 3


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--force"], "say --job NAME"),
        (["--job", "note", "--job-arg", "word=x"], "goes with --force"),
        (["--job", "note", "--force", "--job-arg", "=x"], "name=value is read"),
        (["--forever", "--job", "note", "--force"], "do not go together"),
        (["--forever", "--every", "soon"], "soon"),
    ],
)
def test_flags_that_make_no_sense_are_refused(clock, words, why):
    with pytest.raises(CommandError, match=why) as told:
        cron("cronrun", *words)

    assert told.value.returncode == 2
