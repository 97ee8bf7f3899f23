"""Many runs that are not over, told by what each kind of them waits for."""

from collections.abc import Sequence

from msgspec.structs import replace

from rota.core.counting import counted
from rota.core.model import Run
from rota.views.why.facts import LOOKED_AT, Facts
from rota.views.why.reason import Code, Reason, named
from rota.views.why.run import name_of, why_run

MOST = 20
"""Kinds that are told."""

_OF_OTHERS = frozenset({Code.PAUSED_JOB, Code.PAUSED_QUEUE, Code.PAUSED_TENANT, Code.TENANT_PARKED})


def groups(facts: Facts, runs: Sequence[Run]) -> list[Reason]:
    """Return why runs are where they are: of those that wait for the same thing the oldest, and how many there are."""
    alike: dict[tuple[object, ...], list[Run]] = {}
    for run in sorted(runs, key=lambda one: (one.due_at, one.id)):
        is_later = run.due_at > facts.now
        alike.setdefault((run.state, run.queue, run.held_by, run.waits_for is not None, is_later), []).append(run)
    found = []
    for group in list(alike.values())[:MOST]:
        found += [_of_group(facts, one, group, is_part=len(runs) >= LOOKED_AT) for one in why_run(facts, group[0])]
    return found


def _of_group(facts: Facts, reason: Reason, group: Sequence[Run], *, is_part: bool) -> Reason:
    if reason.code in _OF_OTHERS:
        # It says itself whom it is about.
        return reason
    first = name_of(facts, group[0])
    if len(group) == 1:
        return replace(reason, text=f"{first}: {reason.text}")
    tenants = list(dict.fromkeys(run.tenant for run in group if run.tenant is not None))
    whose = f" ({named(tenants)})" if tenants else ""
    told = {**reason.facts, "count": len(group), "tenants": tenants}
    count = counted(len(group), "run") + (" or more" if is_part else "")
    text = f"{count} are {group[0].state}{whose}; the first is {first}: {reason.text}"
    return replace(reason, text=text, facts=told)
