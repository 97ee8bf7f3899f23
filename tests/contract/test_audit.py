"""Who did what is written with the change itself, and only where something changed."""

import pytest
from msgspec.structs import replace

from rota.core.controls import ControlKind
from rota.core.model import State
from rota.queries import AuditQuery
from tests.values import (
    DAY,
    HOUR,
    MINUTE,
    NOON,
    a_control,
    a_progress,
    a_round,
    a_run,
    a_schedule,
    an_entry,
    claim,
    new_id,
)

EVERYTHING = AuditQuery(limit=1_000)


def told(store, query=EVERYTHING):
    return [entry.id for entry in store.audit(query)]


def say(store, *entries):
    """Write entries, each with a change that it came with."""
    for entry in entries:
        assert store.put_control(a_control(name=entry.id), expected_version=None, audit=entry)


def test_an_entry_comes_back_as_it_was_given(store):
    entries = [
        an_entry(
            at=NOON + MINUTE,
            via="cli",
            action="schedule.pause",
            target="nightly-report",
            reason="Umzug „später“ 🙂",
            detail='{"until":null}',
        ),
        an_entry(actor=None),
    ]

    say(store, *entries)

    assert store.audit(EVERYTHING) == entries[::-1]


def test_there_is_none_before_anybody_did_anything(store):
    store.put_control(a_control(), expected_version=None)

    assert store.audit(EVERYTHING) == []


# --- with the change, or not at all ---


def changes_of_runs(store):
    queued, ended, round_ = a_run(), a_run(state=State.FAILED, ended_at=NOON), a_round()
    store.enqueue([queued, ended], now=NOON)
    return {
        "cancel": lambda audit: store.cancel([queued.id], now=NOON, reason="ann", audit=audit),
        "requeue": lambda audit: store.requeue([ended.id], now=NOON, reason="ann", audit=audit),
        "add_rounds": lambda audit: store.add_rounds([round_], [], now=NOON, audit=audit),
    }


def changes_of_settings(store):
    store.put_schedule(a_schedule(name="old"), expected_version=None)
    store.put_control(a_control(name="tenant/old"), expected_version=None)
    store.mark(a_progress(schedule="old"), expected=None)
    return {
        "put_schedule": lambda audit: store.put_schedule(a_schedule(), expected_version=None, audit=audit),
        "drop_schedule": lambda audit: store.drop_schedule("old", audit=audit),
        "mark": lambda audit: store.mark(a_progress(), expected=None, audit=audit),
        "reset": lambda audit: store.reset("old", audit=audit),
        "put_control": lambda audit: store.put_control(a_control(), expected_version=None, audit=audit),
        "drop_control": lambda audit: store.drop_control(
            ControlKind.PAUSE, "tenant/old", expected_version=1, audit=audit
        ),
    }


VERBS = ("cancel", "requeue", "add_rounds", "put_schedule", "drop_schedule", "mark", "reset", "put_control",
         "drop_control")  # fmt: skip


@pytest.mark.parametrize("verb", VERBS)
def test_a_change_is_told_once_and_what_changes_nothing_is_not(store, verb):
    change = (changes_of_runs(store) | changes_of_settings(store))[verb]
    first, second = an_entry(), an_entry()

    assert change(first)
    assert not change(second)

    assert store.audit(EVERYTHING) == [first]


@pytest.mark.parametrize("verb", VERBS)
def test_a_change_that_nobody_accounts_for_is_not_told(store, verb):
    change = (changes_of_runs(store) | changes_of_settings(store))[verb]

    assert change(None)

    assert store.audit(EVERYTHING) == []


def test_a_change_decided_on_an_old_version_is_not_told(store):
    schedule = a_schedule(version=2)
    store.put_schedule(schedule, expected_version=None)

    assert not store.put_schedule(replace(schedule, version=3), expected_version=1, audit=an_entry())
    assert not store.drop_schedule("nightly", expected_version=1, audit=an_entry())

    assert store.audit(EVERYTHING) == []


def test_asking_a_running_run_to_stop_is_told(store):
    store.enqueue([a_run()], now=NOON)
    [running] = claim(store)
    entry = an_entry()

    store.cancel([running.id, new_id()], now=NOON, reason="ann", audit=entry)

    assert store.audit(EVERYTHING) == [entry]


def test_a_call_that_is_repeated_is_told_once(store):  # R30
    store.enqueue([a_run()], now=NOON)
    [running] = claim(store)
    entry = an_entry()

    for _ in range(2):
        # Each of them asks it to stop; of the first one the answer was lost.
        assert store.cancel([running.id], now=NOON, reason="ann", audit=entry) == [running.id]

    assert store.audit(EVERYTHING) == [entry]


# --- asking ---


def test_entries_come_newest_first_page_by_page(store):
    entries = [an_entry() for _ in range(5)]
    say(store, *entries)
    newest_first = [entry.id for entry in entries[::-1]]

    first = told(store, AuditQuery(limit=2))
    second = told(store, AuditQuery(limit=2, before_id=first[-1]))

    assert told(store) == newest_first
    assert first + second == newest_first[:4]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"actor": "bob"}, [2]),
        ({"actor": "BOB"}, []),
        ({"action": "schedule.pause"}, [0]),
        ({"action": "schedule."}, [2, 0]),
        ({"action": "schedule"}, []),
        ({"action": "schedule_"}, []),
        ({"action": "%."}, []),
        ({"target": "nightly"}, [1, 0]),
        ({"target": "nightly", "action": "run.cancel"}, [1]),
        ({"since": NOON + HOUR}, [3, 2]),
        ({"since": NOON + 2 * HOUR}, []),
        ({}, [3, 2, 1, 0]),
    ],
)
def test_every_field_of_a_query_narrows_the_answer(store, query, expected):
    entries = [
        an_entry(action="schedule.pause", target="nightly"),
        an_entry(action="run.cancel", target="nightly"),
        an_entry(action="schedule.resume", target="weekly", actor="bob", at=NOON + HOUR),
        an_entry(action="schedules.sync", target="weekly", at=NOON + HOUR),
    ]
    say(store, *entries)

    assert told(store, AuditQuery(**query)) == [entries[index].id for index in expected]


# --- how long ---


def prune(store, *, limit=1_000, **cutoff):
    ages = {"succeeded_before": NOON, "failed_before": NOON, "slots_before": NOON, "logs_before": NOON}
    store.prune(**ages | cutoff, limit=limit)


def test_old_entries_go_when_they_are_asked_to(store):  # R72
    old, new = an_entry(at=NOON - 366 * DAY), an_entry(at=NOON - 364 * DAY)
    say(store, old, new)

    prune(store, audit_before=NOON - 365 * DAY)

    assert store.audit(EVERYTHING) == [new]


def test_entries_stay_when_nobody_says_how_long(store):
    say(store, an_entry(at=NOON - 3650 * DAY))

    prune(store)

    assert len(store.audit(EVERYTHING)) == 1


def test_old_entries_go_in_steps_the_oldest_first(store):  # R72
    entries = [an_entry(at=NOON - days * DAY) for days in (500, 400, 600)]
    say(store, *entries)

    prune(store, audit_before=NOON - 365 * DAY, limit=2)

    assert store.audit(EVERYTHING) == [entries[1]]
