"""Processes that are frozen, and processes whose way to the store is broken: rows B, and C1 and C3."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from rota.core.model import Outcome, State
from tests.proxy import Mode
from tests.system.faults import KINDS, SERVERS, SHORT, Ground, between, events, no_overlap, on, worker_pid
from tests.system.processes import freeze_outside, wait_until


@pytest.fixture(params=KINDS)
def ground(request, tmp_path) -> Iterator[Ground]:
    with on(request.param, request, tmp_path) as made:
        yield made


@pytest.fixture(params=SERVERS)
def server_ground(request, tmp_path) -> Iterator[Ground]:
    with on(request.param, request, tmp_path) as made:
        yield made


def lease_is_over(ground: Ground, run) -> bool:
    # A second more: that is when a rescuer sees it.
    return ground.run(run).lease_until.timestamp() + 1.1 < ground.store.now().timestamp()


def test_a_worker_that_was_frozen_for_longer_than_its_lease_stops_and_records_nothing(ground):  # B1, G5, G6
    first, second = ground.site("first", **SHORT), ground.site("second", **SHORT)
    [run] = ground.enqueue(beats=30)

    with ExitStack() as held:
        held.enter_context(first.started())
        frozen = worker_pid(first, run)
        freeze_outside(frozen, ground.lock_file)
        try:
            wait_until(lambda: lease_is_over(ground, run), what="the end of the lease")
            held.enter_context(second.started())
            wait_until(lambda: len(events(second, "start")) == 2, what="the second attempt")
        finally:
            os.kill(frozen, signal.SIGCONT)
        wait_until(lambda: events(first, "stopped", pid=frozen), what="the end of the first attempt")
        ground.wait_for_success(run)

    # That it is told as superseded is proved in tests/contract/test_delays.py.
    assert ground.outcomes(run)[1:] == [Outcome.SUCCEEDED]
    # It had beats to do, and did not.
    assert len(events(first, "beat", pid=frozen)) < 30
    newest = max(line["token"] for line in events(first, "start"))
    assert ground.run(run).result == f'"{newest}"'
    assert [line["token"] for line in events(first, "end")] == [newest]


def test_a_freeze_that_ends_before_the_deadline_is_nothing(ground):  # B2
    site = ground.site(lease="4s", heartbeat="1s", margin="1s")
    [run] = ground.enqueue(beats=30)

    with site.started():
        frozen = worker_pid(site, run)
        os.kill(frozen, signal.SIGSTOP)
        began = time.monotonic()
        wait_until(lambda: time.monotonic() - began > 1, what="a second")
        os.kill(frozen, signal.SIGCONT)
        ground.wait_for_success(run)

    assert len(events(site, "start")) == len(events(site, "end")) == 1
    assert ground.outcomes(run) == [Outcome.SUCCEEDED]


@pytest.mark.parametrize("mode", [Mode.BLACK_HOLE, Mode.ONE_WAY], ids=["B4-black-hole", "B5-one-way"])
def test_a_worker_that_is_cut_off_stops_its_jobs_before_others_get_them(server_ground, mode):  # B4, B5, G6
    ground = server_ground
    [run] = ground.enqueue(beats=60)
    with between(ground) as (line, url), ExitStack() as held:
        cut_off = ground.site("first", url=url, **SHORT)
        held.enter_context(cut_off.started())
        pid = worker_pid(cut_off, run)
        line.to(mode)
        successor = ground.site("second", **SHORT)
        held.enter_context(successor.started())
        wait_until(lambda: events(cut_off, "stopped", pid=pid), what="the end of the first attempt")
        wait_until(lambda: len(events(cut_off, "start")) == 2, what="the second attempt")
        wait_until(lambda: len(events(cut_off, "beat")) > 20, what="some beats")

    no_overlap(cut_off)


def test_a_store_that_is_not_there_at_the_start_is_waited_for(server_ground):  # C1
    ground = server_ground
    [run] = ground.enqueue()
    with between(ground) as (line, url):
        line.to(Mode.REFUSE)
        site = ground.site(url=url)
        with site.started() as process:
            wait_until(lambda: "again in" in site.logs() or "started again" in site.logs(), what="a word about it")
            assert process.poll() is None

            line.to(Mode.PASS)
            ground.wait_for_success(run)

    assert len(events(site, "start")) == 1


def test_after_a_restart_of_the_server_every_loop_is_at_work_within_five_seconds(server_ground):  # C3
    ground = server_ground
    [before] = ground.enqueue()
    with between(ground) as (line, url):
        site = ground.site(url=url, lease="20s", heartbeat="300ms", margin="7s")
        with site.started():
            ground.wait_for_success(before)
            [during] = ground.enqueue(beats=40)
            worker_pid(site, during)
            line.to(Mode.REFUSE)
            began = time.monotonic()
            wait_until(lambda: time.monotonic() - began > 1, what="a second")
            line.to(Mode.PASS)
            back = time.monotonic()
            [after] = ground.enqueue()
            ground.wait_for_success(after)
            took = time.monotonic() - back
            ground.wait_for_success(during)

    assert took < 5
    assert len(events(site, "start")) == 3
    assert ground.outcomes(during) == [Outcome.SUCCEEDED]


def test_answers_that_take_a_quarter_of_the_lease_take_nobodys_run(server_ground):  # B6
    ground = server_ground
    [run] = ground.enqueue(beats=110)
    with between(ground) as (line, url), ExitStack() as held:
        slow = ground.site("first", url=url, lease="5s", heartbeat="1s", margin="1s")
        held.enter_context(slow.started())
        worker_pid(slow, run)
        held.enter_context(ground.site("second", lease="5s", heartbeat="1s", margin="1s").started())
        # A renewal is two or three round trips, each there and back: together they take a quarter of the lease.
        line.delay(0.2)
        ground.wait_for_success(run)

    assert len(events(slow, "start")) == 1
    assert ground.run(run).state is State.SUCCEEDED
