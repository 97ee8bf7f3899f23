"""`rota workers`, and what `rota doctor` says of them."""

import json
from datetime import timedelta

import pytest
from msgspec.structs import replace

from rota.core.liveness import USUAL
from rota.core.model import Note
from rota.engine import host
from tests.surfaces.conftest import data
from tests.values import NOON, SECOND, a_run, a_worker, claim


@pytest.fixture
def store(noon_app):
    return noon_app.store


def only(result):
    [row] = data(result)
    return row


def test_a_worker_is_shown_with_what_it_runs_and_how_far_that_is(store, noon_rota):
    store.register(a_worker(places=8, queues={"default": 0, "mail": 4}, started_at=NOON - timedelta(hours=1)))
    store.enqueue([a_run(tenant="acme")], now=NOON)
    [run] = claim(store, worker="w1", now=NOON - 90 * SECOND)
    store.note([Note(run_id=run.id, token=run.token, done=10, total=200)], now=NOON)

    row = only(noon_rota("workers", "--json"))
    table = noon_rota("workers", "--utc")

    assert (row["state"], row["busy"], row["places"], row["queues"]) == ("alive", 1, 8, {"default": 0, "mail": 4})
    [held] = row["runs"]
    assert held == {"run": run.id, "job": "report", "tenant": "acme", "elapsed_s": 90.0, "done": 10, "total": 200}
    line = table.stdout.splitlines()[1]
    assert "2026-06-01 11:00:00" in line
    assert "1/8" in line and "default, mail:4" in line and "report/acme 1m30s 10/200" in line
    assert "1 worker, 1 alive" in table.stderr


def test_no_worker_is_an_empty_list(noon_rota):
    result = noon_rota("workers")

    assert (result.exit_code, data(noon_rota("workers", "--json"))) == (0, [])
    assert "0 workers, 0 alive" in result.stderr


def test_a_worker_that_is_not_heard_of_is_silent_and_a_finding(store, noon_rota):
    store.register(a_worker(last_seen=NOON - 21 * SECOND))

    row, told = only(noon_rota("workers", "--json")), noon_rota("doctor").stdout

    assert (row["state"], row["seen_s"]) == ("silent", 21.0)
    assert "w1 on host-1 (pid 4711) was not seen for 21s" in told


def test_the_verdict_counts_those_that_are_silent_beside_those_that_are_alive(store, noon_rota):
    store.register(a_worker(last_seen=NOON - 21 * SECOND))
    store.register(a_worker(id="w2", places=8))

    assert "1 alive, 8 places, 1 silent  → rota workers\n" in noon_rota("status").stdout


def test_a_worker_whose_process_is_gone_is_dead_at_once_and_a_finding(store, noon_rota):
    here = host.this_worker("w1", version="0.1", queues={}, places=1, now=NOON)
    # No process has this number.
    store.register(replace(here, pid=2**22 + 1))

    row, told = only(noon_rota("workers", "--json")), noon_rota("doctor").stdout

    assert row["state"] == "dead"
    assert "is dead and holds 0 runs" in told


def test_a_loop_that_does_not_come_round_is_late_and_a_finding(store, noon_rota):
    stamps = {"heartbeat": NOON - 5 * SECOND, "scheduler": NOON - 16 * SECOND, "pruner": NOON - 599 * SECOND}
    store.register(a_worker(stamps=stamps))

    row, told = only(noon_rota("workers", "--json")), noon_rota("doctor").stdout

    assert {loop["name"]: loop["is_late"] for loop in row["loops"]} == {
        "heartbeat": False,
        "scheduler": True,
        "pruner": False,
    }
    assert "scheduler 16s late" in noon_rota("workers").stdout
    assert "the scheduler of pid 4711 on host-1 has not come round for long" in told


def test_a_pause_between_heartbeats_makes_no_loop_late(store, noon_rota):
    # Its stamps are as old as its last heartbeat: a lease may nearly be over before the next one comes.
    seen = NOON - 19 * SECOND
    store.register(a_worker(last_seen=seen, stamps={"scheduler": seen - SECOND}))

    [loop] = only(noon_rota("workers", "--json"))["loops"]

    assert (loop["age_s"], loop["is_late"]) == (20.0, False)


def test_the_loops_of_a_worker_that_is_silent_are_no_finding_of_their_own(store, noon_rota):
    store.register(a_worker(last_seen=NOON - 60 * SECOND, stamps={"scheduler": NOON - 600 * SECOND}))

    assert "has not come round" not in noon_rota("doctor").stdout


def test_every_loop_of_a_process_has_a_usual_time(noon_app):
    # Or `rota doctor` would not notice that it stands still.
    crew = noon_app.crew()
    # But for those that send alerts: they are away for as long as their channels take.
    named = {name for name in crew.services if not name.startswith("deliver ")}

    assert named - set(USUAL) == {"scheduler", "rows", "cron_jobs", "bookkeeper", "watchdog"}


def test_each_line_of_json_is_one_worker(store, noon_rota):  # R63
    store.register(a_worker())
    store.register(a_worker(id="w2"))

    lines = noon_rota("workers", "-o", "ndjson").stdout.splitlines()

    assert [json.loads(line)["id"] for line in lines] == ["w1", "w2"]


def test_a_watchdog_that_does_not_come_round_is_late_and_a_finding(store, noon_rota):  # R52
    store.register(a_worker(stamps={"watchdog": NOON - 200 * SECOND, "rulebook": NOON - 5 * SECOND}))

    row, told = only(noon_rota("workers", "--json")), noon_rota("doctor").stdout

    assert {loop["name"]: loop["is_late"] for loop in row["loops"]} == {"watchdog": True, "rulebook": False}
    assert "the watchdog of pid 4711 on host-1 has not come round for long" in told


def test_a_container_is_well_while_a_worker_of_its_own_lives(store, noon_rota):
    store.register(a_worker(id="w1", host=host.host_name()))
    store.register(a_worker(id="w2", host="another"))

    found = noon_rota("workers", "--here", "--json")

    assert (found.exit_code, only(found)["id"]) == (0, "w1")


def test_a_container_is_not_well_by_the_workers_of_others(store, noon_rota):
    store.register(a_worker(id="w1", host=host.host_name(), last_seen=NOON - 21 * SECOND))
    store.register(a_worker(id="w2", host="another"))

    assert noon_rota("workers", "--here").exit_code == 1
    assert noon_rota("workers").exit_code == 0
