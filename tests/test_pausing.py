"""Stopping a job, a tenant or a queue for a while, with a reason, an author and an end (R12)."""

from datetime import timedelta

import pytest

from rota.core.controls import UNREADABLE, Control, ControlKind, Paused
from rota.engine.alerts import conditions
from rota.errors import ConfigurationError, JobNotFound, Refused, TenantNotFound
from rota.queries import AuditQuery
from rota.views.pauses import in_the_way
from rota.views.status import status
from tests.clocks import FakeClock
from tests.surfaces.conftest import an_app
from tests.values import NOON

HOUR = timedelta(hours=1)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
def app(clock):
    return an_app(clock=clock)


def test_a_pause_says_who_why_since_when_and_until_when(app):  # R12
    app.pauses.pause("tenant", "acme", reason="moves to db-3", actor="cli:ana", until=NOON + HOUR)

    [pause] = app.pauses.list()
    assert (pause.kind, pause.name, pause.reason, pause.author) == (Paused.TENANT, "acme", "moves to db-3", "ana")
    assert (pause.since, pause.until) == (NOON, NOON + HOUR)
    assert pause.said == "paused by ana: moves to db-3"


def test_to_pause_again_gives_a_new_reason_and_keeps_the_start_and_the_end(app, clock):  # R12
    app.pauses.pause("job", "sync", reason="first", until=NOON + HOUR)
    clock.tick(timedelta(minutes=10))

    again = app.pauses.pause("job", "sync", reason="second")

    assert (again.since, again.reason, again.until) == (NOON, "second", NOON + HOUR)
    assert app.pauses.list() == [again]
    assert f'"until":"{(NOON + HOUR).isoformat()}"' in app.store.audit(AuditQuery())[0].detail


@pytest.mark.parametrize("end", [NOON + 2 * HOUR, None])
def test_to_pause_again_with_another_end_or_without_one_changes_it(app, end):  # R12
    app.pauses.pause("job", "sync", reason="first", until=NOON + HOUR)

    assert app.pauses.pause("job", "sync", reason="second", until=end).until == end


@pytest.mark.parametrize(("given", "end"), [({}, NOON + HOUR), ({"until": None}, None)])
def test_a_schedule_that_is_paused_again_keeps_its_end_unless_it_is_taken_away(app, given, end):  # R12
    app.schedules.sync()
    app.schedules.pause("sync", reason="first", until=NOON + HOUR)

    assert app.schedules.pause("sync", reason="second", **given).paused_until == end


def test_a_pause_whose_end_has_come_is_over_though_nobody_has_cleared_it_away(app, clock):  # R12
    app.pauses.pause("queue", "mail", reason="flood", until=NOON + HOUR)

    clock.tick(HOUR)

    assert app.pauses.list() == []
    assert app.pauses.get("queue", "mail") is None
    with pytest.raises(Refused, match="queue 'mail' is not paused"):
        app.pauses.resume("queue", "mail")


def test_after_one_that_is_over_a_new_pause_starts_anew(app, clock):  # R12
    app.pauses.pause("queue", "mail", reason="flood", until=NOON + HOUR)
    clock.tick(2 * HOUR)

    again = app.pauses.pause("queue", "mail", reason="again")
    assert (again.since, again.until) == (NOON + 2 * HOUR, None)


@pytest.mark.parametrize(
    ("kind", "name", "error", "named"),
    [
        ("job", "snyc", JobNotFound, "did you mean 'sync'"),
        ("tenant", "acmee", TenantNotFound, "did you mean 'acme'"),
    ],
)
def test_a_name_that_nobody_has_is_refused_with_the_close_ones(app, kind, name, error, named):  # R14, R64
    with pytest.raises(error, match=named):
        app.pauses.pause(kind, name, reason="x")

    assert app.store.controls() == []
    assert app.store.audit(AuditQuery()) == []


@pytest.mark.parametrize(
    "given",
    [{"reason": " "}, {"reason": "x", "until": NOON}, {"reason": "x", "until": (NOON + HOUR).replace(tzinfo=None)}],
)
def test_a_pause_without_reason_or_with_an_end_that_cannot_come_is_refused(app, given):  # R12, R64
    with pytest.raises(ConfigurationError):
        app.pauses.pause("job", "sync", **given)

    assert app.store.controls() == []


def test_who_paused_and_resumed_stands_in_the_audit(app, clock):  # R12
    app.pauses.pause("job", "sync", reason="migration", actor="cli:ana")
    clock.tick(HOUR)
    ended = app.pauses.resume("job", "sync", actor="http:bob", reason="done")

    resumed, paused = app.store.audit(AuditQuery())
    assert (paused.action, paused.target, paused.actor, paused.via, paused.reason) == (
        "job.pause", "sync", "ana", "cli", "migration",
    )  # fmt: skip
    assert (resumed.action, resumed.actor, resumed.via, resumed.at) == ("job.resume", "bob", "http", NOON + HOUR)
    assert ended.since == NOON
    assert app.store.controls(ControlKind.PAUSE) == []


def test_of_two_who_resume_at_once_one_is_told_that_it_was_not_paused(app, monkeypatch):  # R12
    app.pauses.pause("job", "sync", reason="migration")
    drop = app.store.drop_control

    def beaten(kind, name, *, expected_version, audit=None):
        drop(kind, name, expected_version=expected_version)
        return False

    monkeypatch.setattr(app.store, "drop_control", beaten)

    with pytest.raises(Refused):
        app.pauses.resume("job", "sync")


def unreadable(kind: ControlKind, name: str) -> Control:
    """Return a control as a newer version may write it, or somebody by hand."""
    return Control(kind=kind, name=name, body='{"of": "another version"}', changed_at=NOON)


@pytest.fixture
def broken(app):
    """An application with controls that this version cannot read."""
    for kind, name in [
        (ControlKind.PAUSE, "tenant/acme"),
        (ControlKind.CIRCUIT, "acme"),
        (ControlKind.SHADOW, "sync"),
        (ControlKind.CAMPAIGN, "0198c0ffee"),
    ]:
        app.store.put_control(unreadable(kind, name), expected_version=None)
    return app


def test_what_cannot_be_read_of_the_controls_keeps_nobody_from_the_rest(broken):  # R52
    pause = broken.pauses.pause("job", "sync", reason="migration")

    assert broken.pauses.list() == [pause]
    assert broken.pauses.get("tenant", "acme") is None
    assert (broken.shadows.list(), broken.shadows.get("sync")) == ({}, None)
    assert in_the_way(broken, "sync", ["acme"]) == ["job sync is paused by somebody: migration"]
    assert status(broken).lines
    assert list(conditions.parked(broken.store)) == []


def test_a_pause_that_cannot_be_read_is_paused_anew_or_ended(broken):  # R12
    ended = broken.pauses.resume("tenant", "acme")

    assert (ended.name, ended.reason, ended.since) == ("acme", UNREADABLE, NOON)
    assert broken.store.control(ControlKind.PAUSE, "tenant/acme") is None


def test_a_shadow_that_cannot_be_read_is_ended(broken):
    assert broken.shadows.end("sync").reason == UNREADABLE

    assert broken.store.control(ControlKind.SHADOW, "sync") is None
