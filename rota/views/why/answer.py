"""The reasons put in their order, with what they come to."""

from collections.abc import Sequence

from rota.views.why.reason import ALL_IS_WELL, Code, Reason, Why, in_order

_WAITS = frozenset({
    Code.CANARY, Code.OVERLAP, Code.HELD, Code.ROUND_PLACES, Code.CATCH_UP_PLACES, Code.BACKFILL_PLACES,
    Code.BACKFILL_PACE, Code.PLACES_TAKEN, Code.NO_SCHEDULER, Code.NO_WORKER, Code.NO_WORKER_FOR_QUEUE,
    Code.UNKNOWN_JOB, Code.NEVER_STARTED, Code.RETRY, Code.SNOOZED, Code.LEASE_OVER, Code.STOPPING,
})  # fmt: skip

_WORD = {
    Code.PAUSED_JOB: "paused",
    Code.PAUSED_SCHEDULE: "paused",
    Code.PAUSED_TENANT: "paused",
    Code.PAUSED_QUEUE: "paused",
    Code.BACKFILL_PAUSED: "paused",
    Code.BACKFILL_STOPPED: "stopped",
    Code.SCHEDULE_BROKEN: "broken",
    Code.SCHEDULE_ORPHANED: "orphaned",
    Code.SCHEDULE_FAILED: "failed",
    Code.SCHEDULE_DONE: "done",
    Code.TENANT_PARKED: "parked",
    Code.DEPENDS: "blocked",
    Code.FAILED: "failed",
    Code.CANCELLED: "cancelled",
    Code.SKIPPED: "skipped",
    Code.SKIPPED_RANGE: "skipped",
}


def answer(kind: str, subject: str, reasons: Sequence[Reason], *, state: str | None = None) -> Why:
    """Return the answer for a subject; `state` is its own, where it has one."""
    ordered = in_order(reasons)
    is_fine = all(one.code in ALL_IS_WELL for one in ordered)
    if state is None:
        state = _fine_word(ordered) if is_fine else _word(ordered[0].code)
    return Why(kind=kind, subject=subject, state=state, is_fine=is_fine, reasons=ordered)


def _fine_word(reasons: Sequence[Reason]) -> str:
    codes = {one.code for one in reasons}
    if codes & {Code.FINE, Code.NEXT, Code.NO_SCHEDULE}:
        return "fine"
    if Code.SUCCEEDED in codes:
        return "succeeded"
    return "to come" if Code.SLOT_TO_COME in codes else "under way"


def _word(code: Code) -> str:
    return "waiting" if code in _WAITS else _WORD.get(code, "not run")
