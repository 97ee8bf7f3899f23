"""One builder per noun, with sensible defaults: a test shows only what matters to it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from rota.core.alert import Alert, IncidentKind, Stage
from rota.core.controls import AuditEntry, Control, ControlKind
from rota.core.delivery import Delivery
from rota.core.freshness import Freshness
from rota.core.incident import Incident, Member
from rota.core.lifecycle import Ending, settle
from rota.core.model import (
    ErrorReport,
    Firing,
    Outcome,
    Progress,
    Round,
    RoundState,
    Run,
    RunHistory,
    RunKind,
    Schedule,
    Settlement,
    State,
    Trigger,
    WorkerRecord,
)
from rota.core.rollup import (
    BUCKETS,
    Grain,
    Measure,
    MeasureKey,
    Rollup,
    RollupKey,
    Sheet,
    Subject,
    bucket_of,
)
from rota.core.watched import Flip, Ping, PingKind, Turn, Watched
from rota.ports import Store
from rota.queries import ClaimRequest, Settled

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LEASE = timedelta(seconds=20)
MICROSECOND = timedelta(microseconds=1)

_numbers = count(0x0197_0000_0000)


def new_id() -> str:
    """Return an id that is larger than all before it, as a clock's are."""
    return f"{next(_numbers):012x}7{0:019x}"


def a_run(**fields: Any) -> Run:
    """Return a run that is due at noon."""
    return Run(**{"id": new_id(), "job": "report", "due_at": NOON, "created_at": NOON} | fields)


def a_slot_run(*, tenant: str | None = "acme", slot: datetime = NOON, schedule: str = "nightly", **fields: Any) -> Run:
    """Return the run of a slot, with the dedupe key that makes the slot unique."""
    named: dict[str, Any] = {
        "tenant": tenant,
        "slot": slot,
        "schedule": schedule,
        "trigger": Trigger.SCHEDULE,
        "dedupe_key": f"{schedule}|{slot.isoformat()}|{tenant or ''}",
    }
    return a_run(**named | fields)


def a_schedule(**fields: Any) -> Schedule:
    """Return a schedule that was decided on until eleven and is due at noon."""
    return Schedule(
        **{
            "name": "nightly",
            "job": "report",
            "timing": "every(1).hours",
            "cursor": NOON - HOUR,
            "next_at": NOON,
            "created_at": NOON - DAY,
        }
        | fields
    )


def a_round(**fields: Any) -> Round:
    """Return the running round of the slot at noon."""
    return Round(**{"id": new_id(), "job": "report", "schedule": "nightly", "slot": NOON, "created_at": NOON} | fields)


def a_skipped_round(**fields: Any) -> Round:
    """Return a round for slots that a policy decided not to run."""
    return a_round(**{"state": RoundState.SKIPPED, "reason": "missed", "ended_at": NOON} | fields)


def a_firing(schedule: Schedule, **fields: Any) -> Firing:
    """Return the firing of a schedule's next slot: one round, one expansion."""
    slot = schedule.next_at or schedule.cursor + HOUR
    round_ = a_round(job=schedule.job, schedule=schedule.name, slot=slot)
    expansion = a_run(
        job=schedule.job,
        kind=RunKind.EXPANSION,
        schedule=schedule.name,
        slot=slot,
        round_id=round_.id,
        due_at=slot,
        trigger=Trigger.SCHEDULE,
        dedupe_key=f"{schedule.name}|{slot.isoformat()}|expansion",
    )
    return Firing(
        **{
            "schedule": schedule.name,
            "version": schedule.version,
            "after": schedule.cursor,
            "cursor": slot,
            "next_at": slot + HOUR,
            "rounds": (round_,),
            "runs": (expansion,),
        }
        | fields
    )


def a_worker(**fields: Any) -> WorkerRecord:
    """Return the record of worker w1."""
    return WorkerRecord(
        **{
            "id": "w1",
            "host": "host-1",
            "boot_id": "boot-1",
            "pid": 4711,
            "pid_started": "123456",
            "version": "0.1",
            "queues": {"default": 10},
            "places": 10,
            "started_at": NOON,
            "last_seen": NOON,
        }
        | fields
    )


def a_progress(**fields: Any) -> Progress:
    """Return the progress of a schedule that has not come anywhere yet."""
    return Progress(**{"schedule": "nightly", "tenant": "acme"} | fields)


def a_pair(**fields: Any) -> Watched:
    """Return a pair whose noon succeeded, that is late in an hour and stale in two."""
    return Watched(
        **{
            "schedule": "nightly",
            "tenant": "acme",
            "state": Freshness.FRESH,
            "last_success": NOON,
            "late_at": NOON + HOUR,
            "stale_at": NOON + 2 * HOUR,
            "look_at": NOON + HOUR,
            "flipped_at": NOON - DAY,
            "watched_from": NOON - 2 * DAY,
            "rule": "0123456789abcdef",
        }
        | fields
    )


def a_flip(**fields: Any) -> Flip:
    """Return what makes that pair late."""
    return Flip(
        **{
            "id": new_id(),
            "schedule": "nightly",
            "tenant": "acme",
            "at": NOON,
            "before": Freshness.FRESH,
            "after": Freshness.LATE,
        }
        | fields
    )


def a_ping(**fields: Any) -> Ping:
    """Return the word of a script that it succeeded at noon."""
    return Ping(**{"id": new_id(), "name": "dump", "at": NOON, "kind": PingKind.SUCCESS} | fields)


def watch(store: Store, *pairs: Watched) -> None:
    """Have a store watch these pairs."""
    assert len(store.freshness.turn([Turn(before=None, after=pair) for pair in pairs])) == len(pairs)


def a_control(**fields: Any) -> Control:
    """Return the pause of the tenant acme."""
    return Control(
        **{"kind": ControlKind.PAUSE, "name": "tenant/acme", "body": '{"reason":"migration"}', "changed_at": NOON}
        | fields
    )


def an_entry(**fields: Any) -> AuditEntry:
    """Return what Ana did to a run at noon."""
    return AuditEntry(
        **{"id": new_id(), "at": NOON, "actor": "ana", "action": "run.cancel", "target": "run 1"} | fields
    )


def a_request(worker: str = "w1", **fields: Any) -> ClaimRequest:
    """Return a request for everything in the default queue."""
    return ClaimRequest(**{"worker": worker, "queues": {"default": 1000}, "limit": 1000, "lease": LEASE} | fields)


def claim(store: Store, worker: str = "w1", *, now: datetime = NOON, **fields: Any) -> list[Run]:
    """Claim what there is."""
    return store.claim(a_request(worker, **fields), now=now)


def ended(
    run: Run, outcome: Outcome = Outcome.SUCCEEDED, *, now: datetime = NOON, wait: timedelta = MINUTE, **ending: Any
) -> Settlement:
    """Return the settlement of a claimed run whose attempt ended so."""
    return settle(run, Ending(outcome=outcome, **ending), now=now, wait=wait)


def succeeded(run: Run, **fields: Any) -> Settlement:
    """Return the settlement of a run that succeeded."""
    return ended(run, Outcome.SUCCEEDED, **fields)


def failed(run: Run, **fields: Any) -> Settlement:
    """Return the settlement of a run whose attempt failed: tried again in a minute while attempts are left."""
    error = ErrorReport(type="ValueError", message="bad value", traceback="Traceback: ...")
    return ended(run, Outcome.FAILED, **{"error": error} | fields)


def given_up(run: Run, **fields: Any) -> Settlement:
    """Return the settlement of a run that failed for good."""
    return failed(run, **{"retry": False} | fields)


def lost(run: Run, **fields: Any) -> Settlement:
    """Return the settlement of a run whose worker vanished."""
    return ended(run, Outcome.LOST, **fields)


def settle_all(store: Store, *settlements: Settlement, now: datetime = NOON) -> list[str]:
    """Settle, and return the ids that were applied."""
    answer: Settled = store.settle(list(settlements), now=now)
    return answer.applied


def found(store: Store, run_id: str) -> Run:
    """Return a run that is there."""
    return history(store, run_id).run


def history(store: Store, run_id: str) -> RunHistory:
    """Return a run that is there, with its attempts."""
    answer = store.run(run_id)
    assert answer is not None, f"no run {run_id}"
    return answer


def states(store: Store, *run_ids: str) -> list[State]:
    """Return where these runs stand."""
    return [found(store, run_id).state for run_id in run_ids]


def ids(runs: list[Run]) -> list[str]:
    """Return the ids of runs, in order."""
    return [run.id for run in runs]


def outcomes(store: Store, run_id: str) -> list[Outcome | None]:
    """Return how the attempts of a run ended, oldest first."""
    return [attempt.outcome for attempt in history(store, run_id).attempts]


def the_progress(store: Store, schedule: str = "nightly", tenant: str = "acme") -> Progress:
    """Return the one progress of a schedule and tenant."""
    [progress] = store.progress(schedule=schedule, tenants=[tenant])
    return progress


def open_counts(store: Store) -> Mapping[str, Mapping[State, int]]:
    """Return the open runs per queue and state."""
    return store.counts().by_queue


def add_rounds(store: Store, *rounds: Round) -> list[str]:
    """Record rounds without runs, and return the ids of those that are new."""
    return store.add_rounds(rounds, [], now=NOON)


def an_alert(**fields: Any) -> Alert:
    """Return the news that a job fails for twelve tenants."""
    return Alert(
        **{
            "id": new_id(),
            "incident": new_id(),
            "stage": Stage.OPENED,
            "kind": IncidentKind.FAILED,
            "job": "email_sync",
            "title": "email_sync is failing for 12 tenants",
            "error": "imaplib.IMAP4.error: AUTHENTICATIONFAILED",
            "place": "app/mail.py, line 40, in sync",
            "tenants": ("acme", "globex", "initech"),
            "number_of_tenants": 12,
            "slot": NOON - MINUTE,
            "run_id": new_id(),
            "number": 14,
            "first_at": NOON - HOUR,
            "last_at": NOON,
            "at": NOON,
            "advice": "rota failures --job email_sync",
        }
        | fields
    )


def a_rollup(*, grain: Grain = Grain.MINUTE, start_at: datetime = NOON, **fields: Any) -> Rollup:
    """Return the sum of one run that succeeded within the minute of noon, after two seconds."""
    names = {
        "subject": Subject.RUN, "grain": grain, "start_at": start_at, "job": "report", "tenant": "acme",
        "queue": "default", "outcome": "succeeded",
    }  # fmt: skip
    key = RollupKey(**{name: fields.pop(name, default) for name, default in names.items()})
    took = fields.pop("took", 2 * SECOND)
    buckets = [0] * BUCKETS
    buckets[bucket_of(took.total_seconds())] = fields.get("number", 1)
    return Rollup(
        **{"key": key, "number": 1, "duration_sum": took, "duration_most": took, "buckets": tuple(buckets)} | fields
    )


def a_measure(*, start_at: datetime = NOON, total: float = 500.0, **fields: Any) -> Measure:
    """Return that a job told its rows once within the minute of noon."""
    names = {"grain": Grain.MINUTE, "start_at": start_at, "job": "report", "tenant": "acme", "name": "rows"}
    key = MeasureKey(**{name: fields.pop(name, default) for name, default in names.items()})
    return Measure(**{"key": key, "number": 1, "total": total, "least": total, "most": total} | fields)


def a_sheet(*rollups: Rollup, number: int = 1, source: str = "", measures: tuple[Measure, ...] = ()) -> Sheet:
    """Return what a process adds to the sums; without a source it is one of its own."""
    return Sheet(source=source or new_id(), number=number, rollups=rollups, measures=measures)


def an_incident(**fields: Any) -> Incident:
    """Return an incident that was opened at noon and is looked at then."""
    key = fields.get("key", f"failed:{fields.get('fingerprint', 'f00d')}:{fields.get('job', 'report')}")
    return Incident(
        **{
            "id": new_id(),
            "key": key,
            "kind": IncidentKind.FAILED,
            "job": "report",
            "fingerprint": "f00d",
            "opened_at": NOON,
            "last_at": NOON,
            "look_at": NOON,
        }
        | fields
    )


def a_member(name: str = "acme", **fields: Any) -> Member:
    """Return a tenant that failed at noon."""
    return Member(**{"name": name, "first_at": NOON, "last_at": NOON} | fields)


def a_delivery(**fields: Any) -> Delivery:
    """Return a delivery to `ops` that is due at noon."""
    named = {"id": new_id(), "incident": "i1", "channel": "ops", "due_at": NOON, "created_at": NOON} | fields
    return Delivery(**{"alert": an_alert(incident=named["incident"])} | named)
