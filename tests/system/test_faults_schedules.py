"""Schedules that several processes fire, that slept, and that are changed while they fire: rows E1 to E5 and E9."""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from rota import CatchUp
from rota.core.model import RoundState, State
from rota.queries import RoundQuery, RunQuery
from tests import servers
from tests.system.faults import KINDS, Ground, events, on
from tests.system.processes import Site, children_of, freeze_outside, wait_until
from tests.system.scheduling import (
    come_to_rest,
    fall_asleep,
    hourly_minute,
    is_awake,
    open_runs,
    operator,
    planned,
    stored,
)

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
SHORT = {"lease": "2s", "heartbeat": "600ms", "margin": "1s"}


@pytest.fixture(params=KINDS)
def ground(request, tmp_path) -> Iterator[Ground]:
    with on(request.param, request, tmp_path) as made:
        yield made


def slots(site: Site, **wanted: object) -> list[datetime]:
    """Return the slots for which the body of a job ran, in that order."""
    return [datetime.fromisoformat(line["slot"]) for line in events(site, "ran", **wanted)]


# --- E1 ---

EACH_SECOND = """
from rota import CatchUp


@app.job(schedule=every(1).seconds, catch_up=CatchUp.all())
def tick(ctx: RunContext) -> None:
    with alone("tick"):
        note(event="ran", run=ctx.run_id, slot=ctx.slot.isoformat())
        time.sleep(0.05)
        note(event="end", run=ctx.run_id)
"""


@pytest.fixture(params=KINDS)
def watched(request, tmp_path) -> Iterator[tuple[Ground, Path | None]]:
    """A store, and the file in which its server writes down what it had to refuse; SQLite has none."""
    if request.param == "sqlite":
        with on("sqlite", request, tmp_path) as made:
            yield made, None
        return
    # Asked for, so that a machine without this server skips. One of our own: in the other's log everybody writes.
    request.getfixturevalue(f"{request.param}_server")
    with servers.session() as directory:
        server = servers.running(directory, request.param)
        log = directory / "postgres.log"
        if request.param == "mariadb":
            server.execute("INSTALL SONAME 'sql_errlog'")
            log = directory / "mariadb" / "data" / "sql_errors.log"
        made = Ground(server.create_database(), tmp_path)
        try:
            yield made, log
        finally:
            made.close()


def test_five_schedulers_of_which_some_die_and_one_freezes_fire_each_slot_once(watched):  # E1, G4, R1, R8
    ground, log = watched
    site = planned(ground, EACH_SECOND, **SHORT)
    random = Random(20261121)

    with ExitStack() as held:
        processes = [held.enter_context(site.started()) for _ in range(5)]
        wait_until(lambda: len(ground.store.workers()) == 5, what="five schedulers")
        frozen = children_of(processes[0].pid)[0]
        # Not in the midst of the body, which is somebody else's when its lease is over, nor with the file for itself.
        freeze_outside(frozen, ground.folder / "journal-tick", ground.lock_file)
        for victim in random.sample(processes[1:], 3):
            ran = len(set(slots(site)))
            wait_until(lambda: len(set(slots(site))) > ran + 1, what="more slots")  # noqa: B023  # used at once
            for child in children_of(victim.pid):
                os.kill(child, signal.SIGKILL)
        os.kill(frozen, signal.SIGCONT)
        last = len(set(slots(site)))
        wait_until(lambda: len(set(slots(site))) > last + 1, what="more slots")
        come_to_rest(ground, "tick")

    seen = sorted(set(slots(site)))
    assert len(seen) >= 8
    # None was left out, and each has one run, however often that had to begin.
    assert seen == [seen[0] + number * SECOND for number in range(len(seen))]
    runs = Counter(slot for slot, _ in {(line["slot"], line["run"]) for line in events(site, "ran")})
    assert set(runs.values()) == {1}
    assert events(site, "overlap") == []
    assert {line["run"] for line in events(site, "end")} == {line["run"] for line in events(site, "ran")}
    lost = {run.id for run in ground.store.runs(RunQuery(limit=1000)) if run.lost_count}
    starts = Counter(line["run"] for line in events(site, "ran"))
    assert {run for run, count in starts.items() if count > 1} <= lost
    if log is not None:
        assert not refused_for_a_duplicate(log)


def refused_for_a_duplicate(log: Path) -> list[str]:
    """Return the lines of a server's log that tell of a slot, a round or a run which was there before.

    Not of what is watched and told: who is the first to see a new schedule, a failure or a minute writes its row, and
    one that lost this race looks again.
    """
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    refused = [line for line in lines if "duplicate key" in line or "Duplicate entry" in line or "ERROR 1062" in line]
    return [line for line in refused if not any(table in line for table in WATCHED)]


WATCHED = (
    "_pairs",
    "_flips",
    "_incident",
    "_deliveries",
    "_signals",
    "_rollup",
    "_measures",
    "_errors",
    "_error_tenants",
)


# --- E2, E3 ---

MISSED = """
from rota import CatchUp


def ran(ctx: RunContext, *, job: str) -> None:
    note(event="ran", job=job, slot=ctx.slot.isoformat())


@app.job(name="none", schedule=every().hour.at("{minute}"), catch_up=CatchUp.none())
def none(ctx: RunContext) -> None:
    ran(ctx, job="none")


@app.job(name="latest", schedule=every().hour.at("{minute}"), catch_up=CatchUp.latest())
def latest(ctx: RunContext) -> None:
    ran(ctx, job="latest")


@app.job(name="all", schedule=every().hour.at("{minute}"), catch_up=CatchUp.all())
def all_(ctx: RunContext) -> None:
    ran(ctx, job="all")


@app.job(name="year", schedule=every().minute)
def year(ctx: RunContext) -> None:
    ran(ctx, job="year")
"""


def skipped_range(ground: Ground, schedule: str) -> list[tuple[datetime | None, datetime | None]]:
    rounds = ground.store.rounds(RoundQuery(schedule=schedule, states=(RoundState.SKIPPED,)))
    return [(round_.skipped_from, round_.slot) for round_ in rounds]


def passed_over(ground: Ground, schedule: str) -> list[datetime]:
    """Return the slots, one each second, that a scheduler noted as skipped for it came too late."""
    ranges = [(first, last) for first, last in skipped_range(ground, schedule) if first is not None]
    return [first + number * SECOND for first, last in ranges for number in range((last - first) // SECOND + 1)]


def shown(site: Site, job: str) -> list[str]:
    """Return the states in which `rota slots` shows the slots of the last three hours."""
    answer = json.loads(site.rota("slots", job, "--since", "3h", "--json").stdout)
    return [row["state"] for row in answer["data"]]


def test_a_scheduler_that_was_down_over_three_slots_does_what_the_policy_says(ground):  # E2, R8
    site = planned(ground, MISSED.format(minute=hourly_minute(ground)))
    names = ("none", "latest", "all")
    now = ground.store.now()
    fall_asleep(ground, site, *names, since=now - 3 * HOUR)

    with site.started():
        wait_until(lambda: is_awake(ground, *names) and not open_runs(ground), what="the end of the catch-up")

    third = stored(ground, "all").cursor
    first, second = third - 2 * HOUR, third - HOUR
    assert now - 3 * HOUR < first < second < third < now
    assert slots(site, job="none") == []
    assert slots(site, job="latest") == [third]
    assert slots(site, job="all") == [first, second, third]
    assert skipped_range(ground, "none") == [(first, third)]
    assert skipped_range(ground, "latest") == [(first, second)]
    assert skipped_range(ground, "all") == []
    assert shown(site, "none") == ["skipped"] * 3
    assert shown(site, "latest") == ["skipped", "skipped", "succeeded"]
    assert shown(site, "all") == ["succeeded"] * 3


@pytest.mark.parametrize("ground", ["sqlite", "postgres"], indirect=True)
def test_a_minute_schedule_that_slept_a_year_runs_once_and_records_the_rest_as_one_range(ground):  # E3, R8
    site = planned(ground, MISSED.format(minute=hourly_minute(ground)))
    began = ground.store.now()
    asleep_since = began.replace(second=30, microsecond=0) - timedelta(days=365)
    fall_asleep(ground, site, "year", since=asleep_since)
    woken = ground.store.now()

    with site.started():
        wait_until(lambda: is_awake(ground, "year") and not open_runs(ground), what="the end of the catch-up")

    # A full minute may pass meanwhile, and that one runs as well.
    made_up, *live = slots(site, job="year")
    assert woken - 2 * MINUTE < made_up
    assert live in ([], [made_up + MINUTE])
    assert skipped_range(ground, "year") == [(asleep_since + 30 * SECOND, made_up - MINUTE)]
    assert len(ground.store.rounds(RoundQuery(schedule="year"))) == 2 + len(live)


# --- E4, E5 ---

SAYS = """
@app.job()
def tell(ctx: RunContext, said: int) -> None:
    note(event="ran", run=ctx.run_id, slot=ctx.slot.isoformat(), said=said)
"""


SOON = timedelta(milliseconds=100)
"""By how much the clock of a process may be beside that of the store."""


def a_moment() -> None:
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > 0.3, what="a moment")


def test_a_schedule_that_is_edited_while_it_fires_has_one_definition_for_each_slot(ground):  # E4, R5
    site = planned(ground, SAYS)
    stands: list[datetime] = []
    """When each definition stood for certain."""

    with operator(ground, "tell") as app, ExitStack() as held:
        for _ in range(2):
            held.enter_context(site.started())
        wait_until(lambda: len(ground.store.workers()) == 2, what="two schedulers")
        for number in range(11):
            # By turns with the same times, and with others.
            when = "every 1 second" if number % 4 < 2 else "every 2 seconds"
            app.schedules.put("s", job="tell", when=when, kwargs={"said": number}, catch_up=CatchUp.all())
            stands.append(ground.store.now())
            a_moment()
            if number % 5 == 0:
                # Some stand until they have fired: a new time drops what was due and not fired yet.
                wait_until(lambda: events(site, "ran", said=number), what="a slot")  # noqa: B023  # used at once
        come_to_rest(ground, "s")

    lines = events(site, "ran")
    assert len({line["said"] for line in lines}) >= 3
    assert set(Counter(line["slot"] for line in lines).values()) == {1}
    for line in lines:
        # What was written over before a slot does not fire it.
        following = stands[line["said"] + 1 :][:1]
        assert all(datetime.fromisoformat(line["slot"]) < until + SOON for until in following)
    assert {run.state for run in ground.store.runs(RunQuery(limit=1000))} == {State.SUCCEEDED}


@pytest.mark.parametrize("ground", ["sqlite", "postgres"], indirect=True)
def test_a_schedule_that_is_paused_deleted_and_put_again_has_no_ghosts(ground):  # E5, R5, R12, G4
    site = planned(ground, SAYS)

    with operator(ground, "tell") as app, site.started():

        def put(said: int) -> datetime:
            app.schedules.put("s", job="tell", when="every 1 second", kwargs={"said": said}, catch_up=CatchUp.all())
            return ground.store.now()

        def pass_over_a_slot() -> None:
            since = ground.store.now()
            wait_until(lambda: ground.store.now() > since + 1.2 * SECOND, what="the next slot")

        def wait_for(said: int) -> None:
            wait_until(lambda: len(events(site, "ran", said=said)) > 1, what="two slots")

        put(0)
        wait_for(0)
        app.schedules.pause("s", reason="disabled")
        paused = ground.store.now()
        pass_over_a_slot()
        app.schedules.resume("s")
        resumed = ground.store.now()
        wait_until(lambda: max(slots(site)) > resumed, what="a slot after the pause")
        app.schedules.delete("s")
        deleted = ground.store.now()
        pass_over_a_slot()
        again = put(1)
        wait_for(1)
        come_to_rest(ground, "s")

    seen = slots(site)
    assert set(Counter(seen).values()) == {1}
    assert not [slot for slot in seen if paused + SOON < slot < resumed - SOON]
    assert not [slot for slot in seen if deleted + SOON < slot < again - SOON]
    assert all(slot > again - SOON for slot in slots(site, said=1))
    assert all(slot < deleted + SOON for slot in slots(site, said=0))


# --- E9 ---

BOTH = """
@app.job(schedule=every(1).seconds)
def both(ctx: RunContext) -> None:
    with alone("both"):
        note(event="ran", run=ctx.run_id, slot=str(ctx.slot))
        time.sleep(0.2)
        note(event="end", run=ctx.run_id)
"""


@pytest.mark.parametrize("ground", ["sqlite", "mariadb"], indirect=True)
def test_a_manual_start_at_the_moment_of_a_slot_is_a_run_of_its_own(ground):  # E9, R10, R12
    site = planned(ground, BOTH)

    with operator(ground) as app, site.started():
        app.job(name="both")(lambda: None)
        wait_until(lambda: events(site, "end"), what="the first slot")
        asked = []
        for _ in range(4):
            began = ground.store.now()
            edge = began.replace(microsecond=0) + SECOND
            wait_until(lambda: ground.store.now() >= edge, what="the next slot")  # noqa: B023  # used at once
            asked.append(app.schedules.run_now("both").id)
        come_to_rest(ground, "both")

    runs = {run.id: run for run in ground.store.runs(RunQuery(limit=1000))}
    lines = events(site, "ran")
    assert set(Counter(line["run"] for line in lines).values()) == {1}
    by_hand = [line for line in lines if line["slot"] == "None"]
    assert sorted(str(runs[line["run"]].round_id) for line in by_hand) == sorted(asked)
    # One at a time, and a slot that came while the other was at it is recorded as skipped.
    assert events(site, "overlap") == []
    of_slots = [run for run in runs.values() if run.slot is not None]
    found = sorted(run.slot for run in of_slots)
    # A scheduler that came late fires the newest, and has noted which ones it passed over.
    known = sorted([*found, *passed_over(ground, "both")])
    assert known == [known[0] + number * SECOND for number in range(len(known))]
    ran = {line["slot"] for line in lines} - {"None"}
    assert {str(run.slot) for run in of_slots if run.state is State.SUCCEEDED} == ran
    assert {str(run.slot) for run in of_slots if run.state is State.SKIPPED} == {str(one) for one in found} - ran
