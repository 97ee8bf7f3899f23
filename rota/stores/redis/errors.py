"""Errors by job and fingerprint (R38)."""

from collections.abc import Sequence

import msgspec

from rota.core.model import ErrorRecord
from rota.queries import ErrorQuery
from rota.stores.memory_errors import MOST_TENANTS, key_of, order
from rota.stores.redis.mapping import at
from rota.stores.redis.records import MetRecord
from rota.stores.redis.server import Server

PAGE = 200

_met = msgspec.msgpack.Decoder(MetRecord)
_tenants = msgspec.msgpack.Decoder(list[tuple[bool, int, list[tuple[str, int]]]])


def meant(server: Server, query: ErrorQuery) -> list[ErrorRecord]:
    """Return the records asked for, last met first. All are read: they are few beside runs."""
    records = [_record_of(_met.decode(kept)) for kept in server.ask("HVALS", server.key("errors"))]
    candidates = sorted((record for record in records if _is_meant(record, query)), key=_place)
    answer: list[ErrorRecord] = []
    for first in range(0, len(candidates), PAGE):
        answer += _with_tenants(server, candidates[first : first + PAGE], query.tenants)
        if len(answer) >= query.limit:
            break
    return answer[: query.limit]


def _with_tenants(server: Server, records: Sequence[ErrorRecord], tenants: Sequence[str]) -> list[ErrorRecord]:
    """Return records with the tenants that they met, only those that met one of these."""
    names = [(record.job, record.fingerprint) for record in records]
    found = _tenants.decode(server.call("error_tenants", {"errors": names, "tenants": tenants, "most": MOST_TENANTS}))
    return [
        msgspec.structs.replace(record, tenants=number, top=dict(most))
        for record, (is_met, number, most) in zip(records, found, strict=True)
        if is_met
    ]


def _is_meant(record: ErrorRecord, query: ErrorQuery) -> bool:
    return (
        (not query.jobs or record.job in query.jobs)
        and (query.fingerprint is None or record.fingerprint.startswith(query.fingerprint))
        and (query.since is None or record.last_at >= query.since)
        and (query.until is None or record.last_at < query.until)
        and (query.before is None or order(key_of(record)) > order(query.before))
    )


def _place(record: ErrorRecord) -> tuple[float, str, str]:
    return order(key_of(record))


def _record_of(kept: MetRecord) -> ErrorRecord:
    return ErrorRecord(
        job=kept.job,
        fingerprint=kept.fingerprint,
        type=kept.type,
        message=kept.message,
        place=kept.place,
        first_at=at(kept.first_at),
        last_at=at(kept.last_at),
        last_run_id=kept.last_run_id,
        number=kept.number,
        tenants=0,
    )
