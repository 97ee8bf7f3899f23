"""Every command that changes something does the same far from the application as beside it."""

import getpass
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from rota.app import Rota
from rota.core.builder import every
from rota.core.controls import AuditEntry, ControlKind
from rota.core.model import Outcome, State
from rota.queries import AuditQuery, DeliveryQuery, IncidentQuery, RoundQuery, RunQuery, ScheduleQuery
from tests.surfaces.conftest import an_app, run
from tests.surfaces.test_cli_errors import LOST
from tests.values import DAY, HOUR, MINUTE, NOON, a_run, an_incident, claim, ended, settle_all
from tests.web.far import InProcess, SerialClock, run_far


@pytest.fixture(autouse=True)
def as_ana(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the user of this terminal be called as the one that the server knows."""
    monkeypatch.setattr(getpass, "getuser", lambda: "ana")


INCIDENTS = ("a" * 32, "b" * 32)


def a_seeded_app() -> Rota:
    """Return an application in which something has failed, something waits, and something runs; as each other one."""
    app = an_app(clock=SerialClock())

    @app.job(schedule=every().day.at("01:00"))
    def edited() -> None: ...

    queued = [a_run(id=app.clock.new_id(), job="broken", created_at=NOON - HOUR, max_attempts=1) for _ in range(3)]
    app.store.enqueue(queued[:1], now=NOON)
    [failed] = claim(app.store, limit=1)
    settle_all(app.store, ended(failed, Outcome.FAILED, now=NOON - MINUTE, error=LOST))
    app.store.enqueue(queued[1:], now=NOON)
    app.start_run("report", reason="seed")
    app.schedules.put("nightly", job="broken", when="daily at 02:00", actor="python:eve")
    app.schedules.sync()
    app.schedules.override("edited", when="daily at 02:00", actor="cli:eve")
    app.mark_success("sync", tenants=["acme"], actor="cli:eve")
    app.shadows.begin("edited", reason="cron", actor="cli:eve")
    app.clock.tick(HOUR)
    app.schedules.pause("nightly", reason="moves", actor="cli:eve")
    app.pauses.pause("tenant", "globex", reason="moves", until=NOON + DAY, actor="cli:eve")
    app.clock.tick(DAY - 2 * HOUR)
    paused = app.backfill("sync", since=NOON - DAY, until=NOON, rate=60, actor="cli:eve")
    app.campaigns.pause(paused.id or "", reason="moves", actor="cli:eve")
    app.backfill("sync", since=NOON, until=NOON + HOUR, rate=60, mode="all", actor="cli:eve")
    for number in INCIDENTS:
        app.store.alerts.write(an_incident(id=number, key=f"key-{number}"), expected_version=None)
    app.incidents.mute(INCIDENTS[1], actor="cli:eve")
    app.tenant_settings.set("hooli", weight=2, schedules={"sync": "every 2 hours"}, actor="cli:eve")
    app.limits.set("queue", "default", running=2, reason="noisy", actor="cli:eve")
    return app


def kept(app: Rota) -> dict[str, Any]:
    """Return all that a store keeps, whatever door people came in by."""
    store = app.store
    kept_now = {
        "runs": store.runs(RunQuery(kind=None, limit=1000)),
        "rounds": store.rounds(RoundQuery(limit=1000)),
        "schedules": store.schedules(ScheduleQuery()),
        "progress": [
            one for schedule in store.schedules(ScheduleQuery()) for one in store.progress(schedule=schedule.name)
        ],
        "controls": [one for kind in ControlKind for one in store.controls(kind)],
        "incidents": store.alerts.incidents(IncidentQuery()),
        "deliveries": store.alerts.deliveries(DeliveryQuery()),
        "audit": [_by_any_door(one) for one in store.audit(AuditQuery(limit=1000))],
    }
    return msgspec.json.decode(msgspec.json.encode(kept_now).replace(b'"api:ana"', b'"cli:ana"'))


def _by_any_door(entry: AuditEntry) -> AuditEntry:
    """Return an entry without the door, and without the token and the address that only one of them knows of."""
    detail = {
        name: value for name, value in msgspec.json.decode(entry.detail).items() if name not in ("with", "source")
    }
    return msgspec.structs.replace(entry, via="", detail=msgspec.json.encode(detail).decode())


def run_id(app: Rota, *states: State) -> str:
    """Return the id of the newest run in one of these states."""
    return app.store.runs(RunQuery(states=states, kind=None, limit=1))[0].id


def failed(app: Rota) -> str:
    return run_id(app, State.FAILED)


def waiting(app: Rota) -> str:
    return run_id(app, State.QUEUED)


def the_round(app: Rota) -> str:
    return app.store.rounds(RoundQuery(limit=1))[0].id


def backfill(app: Rota) -> str:
    return app.campaigns.list()[0].id


def held_backfill(app: Rota) -> str:
    return app.campaigns.list()[1].id


def incident(app: Rota) -> str:
    return INCIDENTS[0]


def muted(app: Rota) -> str:
    return INCIDENTS[1]


Word = str | Callable[[Rota], str]

CHANGES: dict[str, list[Word]] = {
    "run": ["run", "report", "--tenant", "@gold", "--exclude", "acme", "--arg", "year=2025", "--reason", "a try"],
    "run with a canary": ["run", "report", "--canary", "acme", "--parallel", "2"],
    "run --dry-run": ["run", "report", "--tenant", "@gold", "--dry-run"],
    "retry": ["retry", failed, "--reason", "once more"],
    "retry by beginning": ["retry", lambda app: failed(app)[:14]],
    "retry --where": ["retry", "--where", "job:broken state:failed"],
    "retry --dry-run": ["retry", "--where", "job:broken", "--dry-run"],
    "cancel": ["cancel", waiting, "--reason", "not now"],
    "cancel a round": ["cancel", the_round],
    "cancel --where": ["cancel", "--where", "job:broken"],
    "cancel --dry-run": ["cancel", the_round, "--dry-run"],
    "mark-success": ["mark-success", "sync", "--tenant", "@gold", "--reason", "made up"],
    "mark-success --until": ["mark-success", "sync", "--until", "2026-06-01T11:00Z"],
    "reset": ["reset", "sync", "--tenant", "acme", "--reason", "again"],
    "pause a job": ["pause", "report", "--reason", "migration", "--until", "+2h"],
    "pause a queue that nothing uses": ["pause", "--queue", "defualt", "--reason", "migration"],
    "pause a schedule": ["pause", "--schedule", "sync", "--reason", "migration"],
    "pause for ever": ["pause", "--tenant", "globex", "--reason", "migration", "--until", "never"],
    "pause, and keep the end": ["pause", "--tenant", "globex", "--reason", "still"],
    "resume": ["resume", "--tenant", "globex", "--reason", "done"],
    "resume a schedule": ["resume", "--schedule", "nightly"],
    "tenants pause": ["tenants", "pause", "acme", "--reason", "moves"],
    "schedules put": [
        "schedules",
        "put",
        "weekly",
        "report",
        "every monday at 06:00",
        "--tenant",
        "@gold",
        "--exclude",
        "acme",
        "--arg",
        "year=2025",
        "--user",
        "7",
        "--catch-up",
        "all",
        "--catch-up-limit",
        "3",
        "--catch-up-within",
        "2d",
        "--overlap",
        "allow",
        "--jitter",
        "30s",
        "--fresh-within",
        "8d",
        "--tz",
        "Europe/Paris",
        "--reason",
        "asked for",
    ],
    "schedules put over one": ["schedules", "put", "nightly", "broken", "daily at 04:00"],
    "schedules put over the code": ["schedules", "put", "sync", "sync", "daily at 04:00"],
    "schedules override": ["schedules", "override", "sync", "--when", "daily at 05:00", "--jitter", "1m"],
    "schedules restore": ["schedules", "restore", "edited"],
    "schedules pause": ["schedules", "pause", "sync", "--reason", "migration", "--until", "13:00"],
    "schedules resume": ["schedules", "resume", "nightly", "--reason", "done"],
    "schedules shadow": ["schedules", "shadow", "sync", "--reason", "cron still does it"],
    "schedules shadow --end": ["schedules", "shadow", "edited", "--end", "--reason", "cron is off"],
    "schedules run-now": ["schedules", "run-now", "sync", "--reason", "a try"],
    "schedules delete": ["schedules", "delete", "nightly", "--reason", "not needed"],
    "enqueue": [
        "enqueue",
        "report",
        "2025",
        "--tenant",
        "acme",
        "--user",
        "7",
        "--in",
        "10m",
        "--priority",
        "5",
        "--expires",
        "1h",
        "--key",
        "k",
        "--unique",
        "args",
        "--unique-while",
        "waiting",
    ],
    "enqueue at": [
        "enqueue",
        "report",
        "--args-json",
        '{"year": 2025}',
        "--tenant",
        "acme",
        "--at",
        "13:00",
        "--tz",
        "Europe/Paris",
    ],
    "backfill --dry-run": ["backfill", "sync", "--since", "-5h", "--until", "now", "--dry-run"],
    "backfill": [
        "backfill",
        "sync",
        "--since",
        "-5h",
        "--until",
        "now",
        "--tenant",
        "@gold",
        "--exclude",
        "acme",
        "--mode",
        "all",
        "--order",
        "new",
        "--parallel",
        "2",
        "--rate",
        "60/m",
        "--stop-after",
        "3",
        "--reason",
        "lost",
        "--detach",
    ],
    "backfill as one": [
        "backfill",
        "sync",
        "--since",
        "-5h",
        "--until",
        "now",
        "--as-one",
        "--canary",
        "acme",
        "--detach",
    ],
    "backfills pause": ["backfills", "pause", backfill, "--reason", "too loud"],
    "backfills resume": ["backfills", "resume", held_backfill, "--reason", "go"],
    "backfills cancel": ["backfills", "cancel", backfill, "--reason", "not needed"],
    "backfills set": ["backfills", "set", backfill, "--parallel", "3", "--no", "rate", "--reason", "slower"],
    "alerts ack": ["alerts", "ack", incident, "--note", "looking"],
    "alerts mute": ["alerts", "mute", incident, "--for", "8h", "--note", "known"],
    "alerts mute --until": ["alerts", "mute", incident, "--until", "18:00"],
    "alerts unmute": ["alerts", "unmute", muted],
    "alerts note": ["alerts", "note", incident, "it is the disk"],
    "limits set": ["limits", "set", "tenant", "acme", "--running", "2", "--rate", "100/1m", "--reason", "noisy"],
    "limits set --lift": ["limits", "set", "job", "*", "--lift", "--reason", "night"],
    "limits drop": ["limits", "drop", "queue", "default", "--reason", "over"],
    "tenants set": [
        "tenants",
        "set",
        "acme",
        "--zone",
        "Asia/Tokyo",
        "--weight",
        "2",
        "--schedule",
        "sync=every 2 hours",
        "--reason",
        "asked for",
    ],
    "tenants set --general": ["tenants", "set", "hooli", "--general", "sync", "--zone", "", "--weight", "0"],
    "import": ["import", "crontab", "-", "--prefix", "old-", "--tz", "Europe/Paris", "--job", "broken=edited"],
    "import --dry-run": ["import", "crontab", "-", "--dry-run"],
    "tenants resume": ["tenants", "resume", "globex", "--reason", "done"],
}

CRONTAB = "30 2 * * * report 2025\n*/5 * * * * broken  # often\n"
TYPED = {"import": CRONTAB, "import --dry-run": CRONTAB, "import an unknown job": "30 2 * * * reprot\n"}
"""What stands on standard input, by the name of the line."""

REFUSED: dict[str, list[Word]] = {
    "run an unknown job": ["run", "reprot"],
    "run for an unknown tenant": ["run", "report", "--tenant", "nobody"],
    "run with wrong arguments": ["run", "report", "--arg", "yaer=2025"],
    "run for a tenant that no tag has": ["run", "report", "--tenant", "@silver"],
    "retry what waits": ["retry", waiting],
    "retry what is not there": ["retry", "ffffffffffff"],
    "retry what cannot be read": ["retry", "--where", "stat:failed"],
    "cancel what is over": ["cancel", failed],
    "mark-success of nothing": ["mark-success", "snyc"],
    "reset for nobody": ["reset", "sync", "--tenant", "nobody"],
    "pause nothing": ["pause", "reprot", "--reason", "why"],
    "pause until yesterday": ["pause", "report", "--reason", "why", "--until", "2026-05-31"],
    "resume what is not paused": ["resume", "report"],
    "schedules put what never comes": ["schedules", "put", "x", "report", "0 0 31 2 *"],
    "schedules put what is over": ["schedules", "put", "x", "report", "at 2026-05-31T09:00"],
    "schedules put for an unknown job": ["schedules", "put", "x", "reprot", "hourly"],
    "schedules override nothing": ["schedules", "override", "nightyl", "--when", "hourly"],
    "schedules restore what is not overridden": ["schedules", "restore", "nightly"],
    "schedules delete of the code": ["schedules", "delete", "sync"],
    "schedules delete nothing": ["schedules", "delete", "nobody"],
    "enqueue an unknown job": ["enqueue", "reprot"],
    "enqueue for nobody": ["enqueue", "report", "--tenant", "nobody"],
    "enqueue with wrong arguments": ["enqueue", "report", "--tenant", "acme", "--arg", "yaer=1"],
    "backfill an unknown job": ["backfill", "snyc", "--since", "-5h", "--until", "now"],
    "backfill what is to come": ["backfill", "sync", "--since", "-5h", "--until", "+5h"],
    "backfills pause nothing": ["backfills", "pause", "ffffffffffff", "--reason", "why"],
    "backfills resume what runs": ["backfills", "resume", backfill],
    "alerts ack nothing": ["alerts", "ack", "ffffffffffff"],
    "alerts unmute what is not muted": ["alerts", "unmute", incident],
    "alerts test an unknown channel": ["alerts", "test", "nobody"],
    "limits set on nothing": ["limits", "set", "job", "reprot", "--running", "2", "--reason", "why"],
    "limits set nonsense": ["limits", "set", "job", "report", "--running", "0", "--reason", "why"],
    "limits drop nothing": ["limits", "drop", "job", "report"],
    "tenants set for nobody": ["tenants", "set", "nobody", "--weight", "2"],
    "tenants set nonsense": ["tenants", "set", "acme", "--zone", "Mars/Olympus"],
    "import an unknown job": ["import", "crontab", "-"],
    "tenants resume who is not paused": ["tenants", "resume", "acme"],
}


@pytest.mark.parametrize(
    ("line", "form"),
    # How errors look in JSON is the same for all of them.
    [*((line, form) for line in CHANGES for form in ((), ("--json",))), *((line, ()) for line in REFUSED)],
)
def test_far_away_a_command_does_and_says_what_it_does_here(line, form):  # R63
    here, far = a_seeded_app(), a_seeded_app()
    words = (CHANGES | REFUSED)[line]

    near = run(here, *typed(words, here), "--yes", *form, input=TYPED.get(line))
    answer = run_far(far, InProcess(far), *typed(words, far), "--yes", *form, input=TYPED.get(line))

    assert (answer.stdout, answer.stderr, answer.exit_code) == (near.stdout, near.stderr, near.exit_code)
    assert kept(far) == kept(here)


@pytest.mark.parametrize("line", CHANGES)
def test_what_is_changed_far_away_is_written_down_with_who_and_what(line):  # T73
    app = a_seeded_app()
    before = len(app.store.audit(AuditQuery(limit=1000)))

    answer = run_far(app, InProcess(app), *typed(CHANGES[line], app), "--yes", input=TYPED.get(line))

    assert answer.exit_code == 0, answer.stderr
    entries = app.store.audit(AuditQuery(limit=1000))
    made = entries[: len(entries) - before]
    # What is enqueued is its own record: an entry for each would be half of the work.
    assert bool(made) is ("--dry-run" not in CHANGES[line] and CHANGES[line][0] != "enqueue")
    assert all((one.via, one.actor) == ("api", "ana") and one.target for one in made)


@pytest.mark.parametrize("line", REFUSED)
def test_what_is_refused_leaves_everything_as_it_was(line):  # R64, T73
    app = a_seeded_app()
    before = kept(app)

    answer = run_far(app, InProcess(app), *typed(REFUSED[line], app), "--yes", input=TYPED.get(line))

    assert answer.exit_code in (2, 3, 5), answer.stderr
    assert kept(app) == before


def typed(words: list[Word], app: Rota) -> list[str]:
    return [word if isinstance(word, str) else word(app) for word in words]
