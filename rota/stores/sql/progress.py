"""How far each schedule has come for each tenant."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from rota.core.freshness import Expectation
from rota.core.model import Progress, RunKind, Settlement, State
from rota.stores.sql import pairs
from rota.stores.sql.database import Link, json_of
from rota.stores.sql.rows import PROGRESS, at, columns, progress_of, progress_row

Key = tuple[str, str]

# Locked in one order, so that two settlements of the same tenants do not meet head on.
HELD = f"""
SELECT {columns(PROGRESS, "r")} FROM {{rows(schedule:text, tenant:text)}} AS s JOIN {{progress}} AS r
ON r.schedule = s.schedule AND r.tenant = s.tenant ORDER BY r.schedule, r.tenant{{lock}}
"""
SUCCESSES = """
SELECT r.schedule, r.tenant, r.last_success FROM {rows(schedule:text, tenant:text)} AS s JOIN {progress} AS r
ON r.schedule = s.schedule AND r.tenant = s.tenant
"""

FIELDS = "name:text, who:text, success:int, success_at:int, run_id:id, run_state:id, run_ended_at:int, in_a_row:int"
SETS = """
last_success = s.success, last_success_at = s.success_at, last_run_id = s.run_id, last_state = s.run_state,
last_ended_at = s.run_ended_at, failures = s.in_a_row
"""


def last_successes(link: Link, keys: Sequence[Key]) -> dict[Key, datetime | None]:
    """Return the newest slot that succeeded, by schedule and tenant."""
    if not keys:
        return {}
    rows = link.rows(SUCCESSES, sorted(set(keys)))
    return {(schedule, tenant): at(success) for schedule, tenant, success in rows}


def move(link: Link, ended: Sequence[Settlement]) -> None:
    """Take note of runs that ended, in this order. Only the job's own work under a schedule counts."""
    counted = [one for one in ended if one.run.schedule is not None and one.run.kind is RunKind.JOB]
    if not counted:
        return
    by_key: dict[Key, list[Settlement]] = {}
    for one in counted:
        by_key.setdefault((one.run.schedule or "", one.run.tenant or ""), []).append(one)
    rows = link.rows(HELD, sorted(by_key))
    stored = {(row[0], row[1]): progress_of(row) for row in rows}
    new: list[tuple[Any, ...]] = []
    changed: list[tuple[Any, ...]] = []
    proofs: list[pairs.Proof] = []
    for key in sorted(by_key):
        progress = stored.get(key) or Progress(schedule=key[0], tenant=key[1])
        before = progress.last_success
        for one in by_key[key]:
            progress = _moved(progress, one)
        if progress.last_success is not None and progress.last_success != before:
            proofs.append(_proof(key, progress.last_success, by_key[key]))
        (changed if key in stored else new).append(progress_row(progress))
    _write(link, changed)
    # A key that another transaction inserts meanwhile fails this one, which is then repeated and finds it.
    link.insert("progress", PROGRESS, new)
    pairs.prove(link, proofs)


def _proof(key: Key, slot: datetime, settlements: Sequence[Settlement]) -> pairs.Proof:
    [by, *_] = [one for one in settlements if one.run.slot == slot and one.state is State.SUCCEEDED]
    return (*key, slot, by.ended_at, by.expected)


def hear(
    link: Link,
    schedule: str,
    *,
    has_succeeded: bool,
    slot: datetime | None,
    at: datetime,
    expected: Expectation | None,
) -> None:
    """Take note of how a script outside of Rota ended, which stands for this schedule."""
    found = [progress_of(row) for row in link.rows(HELD, [(schedule, "")])]
    old = found[0] if found else Progress(schedule=schedule)
    state = State.SUCCEEDED if has_succeeded else State.FAILED
    new = replace(old, last_state=state, last_ended_at=at, failures=0 if has_succeeded else old.failures + 1)
    is_newer = slot is not None and (old.last_success is None or slot > old.last_success)
    if is_newer:
        new = replace(new, last_success=slot, last_success_at=at)
    if found:
        _write(link, [progress_row(new)])
    else:
        link.insert("progress", PROGRESS, [progress_row(new)])
    if is_newer and slot is not None:
        pairs.prove(link, [(schedule, "", slot, at, expected)])
    else:
        pairs.hear(link, schedule, at)


def _moved(old: Progress, one: Settlement) -> Progress:
    slot = one.run.slot
    last_success, last_success_at, failures = old.last_success, old.last_success_at, old.failures
    if one.state is State.SUCCEEDED:
        failures = 0
        # Slots may end in any order: a late one must not take the window back (R9).
        if slot is not None and (last_success is None or slot > last_success):
            last_success, last_success_at = slot, one.ended_at
    elif one.state is State.FAILED:
        failures += 1
    return Progress(
        schedule=old.schedule,
        tenant=old.tenant,
        last_success=last_success,
        last_success_at=last_success_at,
        last_run_id=one.run.id,
        last_state=one.state,
        last_ended_at=one.ended_at,
        failures=failures,
    )


def _write(link: Link, rows: Sequence[tuple[Any, ...]]) -> None:
    if rows:
        link.update("progress", FIELDS, rows, sets=SETS, where="r.schedule = s.name AND r.tenant = s.who")


def entries(link: Link, schedule: str | None, tenants: Sequence[str] | None) -> list[Progress]:
    """Return progress by schedule and tenant; `None` does not narrow."""
    where, parameters = _meant(schedule, tenants)
    rows = link.all(
        f"SELECT {columns(PROGRESS)} FROM {{progress}}{where} ORDER BY schedule, tenant",
        *parameters,
    )
    return [progress_of(row) for row in rows]


def mark(link: Link, progress: Progress, expected: Progress | None) -> bool:
    """Replace progress if it still equals `expected`; return whether it did."""
    key = [(progress.schedule, progress.tenant)]
    found = [progress_of(row) for row in link.rows(HELD, key)]
    if found != ([] if expected is None else [expected]):
        return False
    if found:
        _write(link, [progress_row(progress)])
    else:
        link.insert("progress", PROGRESS, [progress_row(progress)])
    pairs.mark(link, " WHERE schedule = ? AND tenant = ?", key[0], progress.last_success)
    return True


def reset(link: Link, schedule: str, tenants: Sequence[str] | None) -> int:
    """Forget progress; return how many entries."""
    where, parameters = _meant(schedule, tenants)
    forgotten = link.run(f"DELETE FROM {{progress}}{where}", *parameters)
    pairs.mark(link, where, parameters, None)
    return forgotten


def _meant(schedule: str | None, tenants: Sequence[str] | None) -> tuple[str, list[str]]:
    terms, parameters = [], []
    if schedule is not None:
        terms.append("schedule = ?")
        parameters.append(schedule)
    if tenants is not None:
        terms.append("tenant IN (SELECT s.tenant FROM {rows(tenant:text)} AS s)")
        parameters.append(json_of([(tenant,) for tenant in tenants]))
    return (" WHERE " + " AND ".join(terms) if terms else ""), parameters
