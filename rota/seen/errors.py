"""Error records, counted from the runs that there are: those of the store count everybody's."""

from collections import Counter
from collections.abc import Iterable

from rota.core.cause import print_of
from rota.core.model import ErrorRecord, Run
from rota.core.tally import LONGEST_MESSAGE
from rota.queries import ErrorKey, ErrorQuery

MOST = 10_000
"""Failed runs that are looked at, the newest."""
TOP = 10
"""Tenants of an error that are named."""


def records_of(runs: Iterable[Run], query: ErrorQuery) -> list[ErrorRecord]:
    """Return a record for each error that ended these runs, last met first, then by job and fingerprint.

    `number` counts runs that failed for good, where those of the store count attempts.
    """
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        if run.error is not None and run.ended_at is not None:
            groups.setdefault((run.job, print_of(run)), []).append(run)
    records = [_record(job, fingerprint, group) for (job, fingerprint), group in groups.items()]
    records.sort(key=lambda one: (-one.last_at.timestamp(), one.job, one.fingerprint))
    return [one for one in records if _is_meant(one, query)][: query.limit]


def _record(job: str, fingerprint: str, runs: list[Run]) -> ErrorRecord:
    runs = sorted(runs, key=lambda run: (run.ended_at or run.created_at, run.id))
    first, last = runs[0], runs[-1]
    assert first.ended_at is not None
    assert last.ended_at is not None
    assert last.error is not None
    met = Counter(run.tenant for run in runs if run.tenant is not None)
    return ErrorRecord(
        job=job,
        fingerprint=fingerprint,
        type=last.error.type,
        message=last.error.message[:LONGEST_MESSAGE],
        place=last.error.place,
        first_at=first.ended_at,
        last_at=last.ended_at,
        last_run_id=last.id,
        number=len(runs),
        tenants=len(met),
        top=dict(sorted(met.items(), key=lambda item: (-item[1], item[0]))[:TOP]),
    )


def _is_meant(record: ErrorRecord, query: ErrorQuery) -> bool:
    return (
        (query.fingerprint is None or record.fingerprint.startswith(query.fingerprint))
        and (query.since is None or record.last_at >= query.since)
        and (query.until is None or record.last_at < query.until)
        and (query.before is None or _place(record) > _place_of(query.before))
    )


def _place(record: ErrorRecord) -> tuple[float, str, str]:
    return _place_of(ErrorKey(record.last_at, record.job, record.fingerprint))


def _place_of(key: ErrorKey) -> tuple[float, str, str]:
    return -key.last_at.timestamp(), key.job, key.fingerprint
