"""What failures have in common: counted with the attempts themselves (R38)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rota.clock import from_micros, to_micros
from rota.core.model import ErrorRecord, Settlement
from rota.core.tally import LONGEST_MESSAGE, Tally, tallies
from rota.queries import ErrorQuery
from rota.stores.sql.database import Link, json_of
from rota.stores.sql.making import KEY, NAME
from rota.stores.sql.narrowing import Narrowing
from rota.stores.sql.rows import clean

MOST_TENANTS = 10
"""Tenants that a record names."""

ERROR = ("job", "fingerprint", "type", "message", "place", "first_at", "last_at", "last_run_id", "number")
FIELDS = "named:text, print:id, kind:text, said:long, spot:text, began:int, finished:int, run_id:id, times:int"
# Whoever met it last says what is shown of it. The instant comes last: MySQL reads what it has just set.
MET_AGAIN = """
message = CASE WHEN new.last_at >= r.last_at THEN new.message ELSE r.message END,
place = CASE WHEN new.last_at >= r.last_at THEN new.place ELSE r.place END,
last_run_id = CASE WHEN new.last_at >= r.last_at THEN new.last_run_id ELSE r.last_run_id END,
first_at = {least}(r.first_at, new.first_at), number = r.number + new.number,
last_at = {greatest}(r.last_at, new.last_at)
"""
ERROR_TENANT = ("job", "fingerprint", "tenant", "last_at", "number")
TENANT_FIELDS = "named:text, print:id, who:text, finished:int, times:int"
TENANT_AGAIN = "number = r.number + new.number, last_at = {greatest}(r.last_at, new.last_at)"

# Served by the primary key of the tenants, read for the errors of one page.
TENANTS = """
SELECT ranked.job, ranked.fingerprint, ranked.tenant, ranked.number, ranked.everyone FROM (
    SELECT r.job, r.fingerprint, r.tenant, r.number,
    count(*) OVER (PARTITION BY r.job, r.fingerprint) AS everyone,
    row_number() OVER (PARTITION BY r.job, r.fingerprint ORDER BY r.number DESC, r.tenant) AS position
    FROM {rows(named:text, print:id)} AS s JOIN {error_tenants} AS r ON r.job = s.named AND r.fingerprint = s.print
) AS ranked WHERE ranked.position <= ? ORDER BY ranked.job, ranked.fingerprint, ranked.position
"""
# Served by the index `seen`.
OLD = "SELECT r.job, r.fingerprint FROM {errors} AS r WHERE r.last_at < ? ORDER BY r.last_at LIMIT ?{lock}"
THESE = "(job, fingerprint) IN (SELECT s.named, s.print FROM {rows(named:text, print:id)} AS s)"


def count(link: Link, settlements: Sequence[Settlement]) -> None:
    """Count what these attempts met: those that this transaction has just settled, and no others."""
    found = tallies(settlements)
    if not found:
        return
    link.upsert("errors", ERROR, FIELDS, [_row(tally) for tally in found], key="job, fingerprint", sets=MET_AGAIN)
    tenants = [
        (tally.job, tally.fingerprint, tenant, to_micros(last_at), number)
        for tally in found
        for tenant, (number, last_at) in sorted(tally.tenants.items())
    ]
    if tenants:
        key = "job, fingerprint, tenant"
        link.upsert("error_tenants", ERROR_TENANT, TENANT_FIELDS, tenants, key=key, sets=TENANT_AGAIN)


def meant(link: Link, query: ErrorQuery) -> list[ErrorRecord]:
    """Return records, last met first. Served by the index `seen`, or by the primary key."""
    narrowing = Narrowing("r")
    narrowing.among("job", query.jobs)
    narrowing.within("last_at", query.since, query.until)
    if query.fingerprint is not None:
        # Up to after every digit that could follow.
        narrowing.span("fingerprint", query.fingerprint, f"{query.fingerprint}g")
    if query.tenants:
        marks = ", ".join("?" * len(query.tenants))
        narrowing.also(
            "EXISTS (SELECT 1 FROM {error_tenants} AS t WHERE t.job = r.job AND t.fingerprint = r.fingerprint "
            f"AND t.tenant IN ({marks}))",
            *query.tenants,
        )
    if query.before is not None:
        last_at, job, fingerprint = to_micros(query.before.last_at), query.before.job, query.before.fingerprint
        narrowing.also(
            "(r.last_at < ? OR r.last_at = ? AND (r.job > ? OR r.job = ? AND r.fingerprint > ?))",
            last_at, last_at, job, job, fingerprint,
        )  # fmt: skip
    columns = ", ".join(f"r.{name}" for name in ERROR)
    text = (
        f"SELECT {columns} FROM {{errors}} AS r{narrowing.where} ORDER BY r.last_at DESC, r.job, r.fingerprint LIMIT ?"
    )
    rows = link.all(text, *narrowing.parameters, query.limit)
    return _with_tenants(link, rows) if rows else []


def prune(link: Link, before: datetime, *, limit: int) -> None:
    """Forget up to `limit` errors that nobody met since, longest ago first, with their tenants."""
    old = json_of([tuple(row) for row in link.all(OLD, to_micros(before), limit)])
    if old != "[]":
        link.run(f"DELETE FROM {{error_tenants}} WHERE {THESE}", old)
        link.run(f"DELETE FROM {{errors}} WHERE {THESE}", old)


def _row(tally: Tally) -> tuple[Any, ...]:
    error = tally.error
    # What is shown is no key: rather cut than refused.
    return (
        tally.job,
        tally.fingerprint,
        (clean(error.type) or "")[:NAME],
        (clean(error.message) or "")[:LONGEST_MESSAGE],
        (clean(error.place) or "")[:KEY],
        to_micros(tally.first_at),
        to_micros(tally.last_at),
        tally.last_run_id,
        tally.number,
    )


def _with_tenants(link: Link, rows: Sequence[Any]) -> list[ErrorRecord]:
    top: dict[tuple[str, str], dict[str, int]] = {}
    everyone: dict[tuple[str, str], int] = {}
    for job, fingerprint, tenant, number, total in link.rows(TENANTS, [tuple(row[:2]) for row in rows], MOST_TENANTS):
        top.setdefault((job, fingerprint), {})[tenant] = number
        everyone[job, fingerprint] = total
    return [
        ErrorRecord(
            job=job,
            fingerprint=fingerprint,
            type=kind,
            message=message,
            place=place,
            first_at=from_micros(first_at),
            last_at=from_micros(last_at),
            last_run_id=last_run_id,
            number=number,
            tenants=everyone.get((job, fingerprint), 0),
            top=top.get((job, fingerprint), {}),
        )
        for job, fingerprint, kind, message, place, first_at, last_at, last_run_id, number in rows
    ]
