"""When a tenant is parked, when it is tried again, and what ends that (R25)."""

from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from rota.core.controls import Circuit
from rota.core.rounds import digest

LONGEST_REASON = 400

GIVEN_BACK = timedelta(seconds=5)
"""How long a run waits that met a tenant which is being parked: by then its gate holds it, in every process."""


class Probing(NamedTuple):
    """When a tenant is parked, and how often it is tried then: `tenants.park_after`, `probe` and `probe_most`."""

    park_after: int = 3
    """Failures in a row; 0 parks nobody."""
    first: timedelta = timedelta(seconds=30)
    most: timedelta = timedelta(minutes=15)


def failed(known: Circuit | None, tenant: str, reason: str, probing: Probing, *, now: datetime) -> Circuit | None:
    """Return the circuit after one more failure to reach the tenant's database; None where nobody is parked.

    One that is parked stays as it is: a run that was claimed before it was is no probe.
    """
    if probing.park_after < 1:
        return known
    if known is not None and known.is_open:
        return known
    failures = 1 if known is None else known.failures + 1
    counted = Circuit(failures=failures, reason=_first_line(reason))
    if failures < probing.park_after:
        return counted
    return replace(counted, parked_at=now, probe_at=now + probe_delay(tenant, 0, probing))


def claimed(circuit: Circuit, tenant: str, probing: Probing, *, now: datetime) -> Circuit:
    """Return the circuit of a parked tenant that is about to be tried, as if that were in vain: whoever writes this
    tries, and if it dies the next probe is due all the same."""
    probes = circuit.probes + 1
    return replace(circuit, probes=probes, probe_at=now + probe_delay(tenant, probes, probing))


def in_vain(circuit: Circuit, reason: str) -> Circuit:
    """Return the circuit of a tenant that was tried and could still not be reached."""
    return replace(circuit, failures=circuit.failures + 1, reason=_first_line(reason))


def ends(circuit: Circuit, *, began_at: datetime | None) -> bool:
    """Whether a success of a run that used the tenant's database says that it can be reached again.

    Of a parked tenant only one that began since: its connection may be older than the trouble.
    """
    return circuit.parked_at is None or (began_at is not None and began_at > circuit.parked_at)


def keeps(known: Circuit | None, probing: Probing) -> bool:
    """Whether a run that cannot reach the database waits for it, its attempt not counted: the tenant is parked, or is
    by this very failure (R25: its slots are kept)."""
    if probing.park_after < 1:
        return False
    failures = 0 if known is None else known.failures
    return failures + 1 >= probing.park_after or (known is not None and known.is_open)


def is_due(circuit: Circuit, *, now: datetime) -> bool:
    """Whether a parked tenant is to be tried now."""
    return circuit.is_open and (circuit.probe_at is None or circuit.probe_at <= now)


def probe_delay(tenant: str, probes: int, probing: Probing) -> timedelta:
    """Return how long after `probes` probes in vain the next one comes: twice as long each time, up to the longest.

    Shorter by a share of the tenant's own, up to a half: the tenants of one dead host are not all tried at once. Never
    shorter than the one before.
    """
    whole = min(probing.first, probing.most)
    for _ in range(probes):
        if whole >= probing.most:
            break
        whole = min(whole * 2, probing.most)
    share = int(digest("probe", tenant)[:8], 16) / 2**32
    return whole - whole * (share / 2)


def _first_line(reason: str) -> str:
    lines = reason.strip().splitlines()
    return lines[0][:LONGEST_REASON] if lines else "no reason was given"
