"""The error records of a `MemoryStore`."""

import heapq
from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from rota.core.model import ErrorRecord, Settlement
from rota.core.tally import LONGEST_MESSAGE, Key, Tally, tallies
from rota.queries import ErrorKey, ErrorQuery

MOST_TENANTS = 10
"""Tenants that a record names."""


class Met(Struct, kw_only=True):
    """An error and the tenants it met."""

    record: ErrorRecord
    tenants: dict[str, int]


class Errors:
    """Counts errors by job and fingerprint. Not locked: the store is."""

    def __init__(self) -> None:
        self._met: dict[Key, Met] = {}

    def count(self, settlements: Sequence[Settlement]) -> None:
        """Count what these attempts met; each is counted when it is applied, and never again."""
        for tally in tallies(settlements):
            met = self._met.setdefault((tally.job, tally.fingerprint), Met(record=_empty(tally), tenants={}))
            met.record = _counted(met.record, tally)
            for tenant, (number, _) in tally.tenants.items():
                met.tenants[tenant] = met.tenants.get(tenant, 0) + number

    def meant(self, query: ErrorQuery) -> list[ErrorRecord]:
        """Return the records asked for, last met first."""
        meant = [met for met in self._met.values() if _is_meant(met, query)]
        first = heapq.nsmallest(query.limit, meant, key=lambda met: order(key_of(met.record)))
        return [_with_tenants(met) for met in first]

    def prune(self, before: datetime, *, limit: int) -> None:
        """Forget up to `limit` errors that nobody met since, longest ago first."""
        old = [(met.record.last_at, key) for key, met in self._met.items() if met.record.last_at < before]
        for _, key in heapq.nsmallest(limit, old):
            del self._met[key]


def key_of(record: ErrorRecord) -> ErrorKey:
    """Return where a record stands in a list."""
    return ErrorKey(record.last_at, record.job, record.fingerprint)


def _empty(tally: Tally) -> ErrorRecord:
    return ErrorRecord(
        job=tally.job,
        fingerprint=tally.fingerprint,
        type=tally.error.type,
        message="",
        place="",
        first_at=tally.first_at,
        last_at=tally.first_at,
        last_run_id="",
        number=0,
        tenants=0,
    )


def _counted(record: ErrorRecord, tally: Tally) -> ErrorRecord:
    record = replace(record, number=record.number + tally.number, first_at=min(record.first_at, tally.first_at))
    if tally.last_at < record.last_at:
        return record
    return replace(
        record,
        message=tally.error.message[:LONGEST_MESSAGE],
        place=tally.error.place,
        last_at=tally.last_at,
        last_run_id=tally.last_run_id,
    )


def _with_tenants(met: Met) -> ErrorRecord:
    most = heapq.nsmallest(MOST_TENANTS, met.tenants.items(), key=lambda item: (-item[1], item[0]))
    return replace(met.record, tenants=len(met.tenants), top=dict(most))


def order(key: ErrorKey) -> tuple[float, str, str]:
    """Sort as a list of records stands: last met first, then by job and fingerprint."""
    return -key.last_at.timestamp(), key.job, key.fingerprint


def _is_meant(met: Met, query: ErrorQuery) -> bool:
    record = met.record
    return (
        (not query.jobs or record.job in query.jobs)
        and (not query.tenants or _any(query.tenants, met.tenants))
        and (query.fingerprint is None or record.fingerprint.startswith(query.fingerprint))
        and (query.since is None or record.last_at >= query.since)
        and (query.until is None or record.last_at < query.until)
        and (query.before is None or order(key_of(record)) > order(query.before))
    )


def _any(wanted: Iterable[str], known: dict[str, int]) -> bool:
    return any(tenant in known for tenant in wanted)
