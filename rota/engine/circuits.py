"""Parks tenants whose database cannot be reached, and tries them until it can (R25)."""

import logging
import threading
from collections import deque
from datetime import datetime, timedelta
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from rota.core import circuit as rules
from rota.core.circuit import Probing
from rota.core.controls import AuditEntry, Circuit, Control, ControlKind, readable
from rota.core.events import TenantParked, TenantRecovered
from rota.core.lifecycle import Ending
from rota.core.model import Outcome, Run, Tenant
from rota.engine.bus import Bus
from rota.engine.directory import Directory
from rota.engine.standing import Standing
from rota.errors import TenantListFailed
from rota.ports import Store

log: logging.Logger = logging.getLogger(__name__)

EVERY = timedelta(seconds=1)

LISTED = timedelta(minutes=1)
"""How often it is asked whether a tenant with a circuit is still there, and where."""


class Heard(Struct, frozen=True, kw_only=True):
    """What an attempt said of its tenant's database."""

    tenant: str
    reached: bool
    reason: str = ""
    began_at: datetime | None = None


class Circuits:
    """Counts failures to connect, in a row, and parks a tenant when they are too many.

    For a success nothing is written, but where failures are known.
    """

    def __init__(self, store: Store, *, standing: Standing, bus: Bus, probing: Probing) -> None:
        self._store = store
        self._standing = standing
        self._bus = bus
        self._probing = probing
        self._heard: deque[Heard] = deque()
        self._lock = threading.Lock()
        """Guards the next one: attempts end in many threads."""
        self._in_a_row: dict[str, int] = {}
        """Failures in a row of tenants of whom the controls do not tell all yet: they are written once a second, and
        in that time a run may use up all its attempts."""

    def hear(self, run: Run, ending: Ending) -> Ending:
        """Take note of what an attempt's ending says of its tenant's database, and return the ending. Safe from any
        thread.

        Where the tenant is parked, or is by this very failure, the attempt does not count: the run waits with those
        that come after it, until the tenant is back.
        """
        tenant = run.tenant
        if tenant is None or ending.reached is None:
            return ending
        known = self._standing.circuits.get(tenant)
        if ending.reached:
            with self._lock:
                if known is not None or tenant in self._in_a_row:
                    self._in_a_row[tenant] = 0
                    self._heard.append(Heard(tenant=tenant, reached=True, began_at=ending.started_at))
            return ending
        reason = ending.error.first_line if ending.error is not None else ""
        with self._lock:
            before = self._in_a_row.get(tenant, known.failures if known is not None else 0)
            self._in_a_row[tenant] = before + 1
            self._heard.append(Heard(tenant=tenant, reached=False, reason=reason))
        seen = Circuit(failures=before, reason="") if known is None else replace(known, failures=before)
        if not rules.keeps(seen, self._probing):
            return ending
        why = f"tenant {tenant} cannot be reached"
        return replace(ending, outcome=Outcome.INTERRUPTED, reason=why, delay=rules.GIVEN_BACK)

    def tick(self, now: datetime) -> timedelta:
        if not self._heard:
            return EVERY
        while self._heard:
            # Forgotten when it is written: the store may be away.
            self._write(self._heard[0], now)
            self._heard.popleft()
        # What was parked just now is left alone by this process from here on.
        self._standing.tick(now)
        with self._lock:
            unwritten = {heard.tenant for heard in self._heard}
            self._in_a_row = {tenant: count for tenant, count in self._in_a_row.items() if tenant in unwritten}
        return EVERY

    def _write(self, heard: Heard, now: datetime) -> None:
        while True:
            control = self._store.control(ControlKind.CIRCUIT, heard.tenant)
            known = Circuit.read(control)
            if heard.reached:
                if control is None or known is None or not rules.ends(known, began_at=heard.began_at):
                    return
                if drop(self._store, control, known, bus=self._bus, now=now):
                    return
                continue
            after = rules.failed(known, heard.tenant, heard.reason, self._probing, now=now)
            if after is None or after == known or write(self._store, heard.tenant, after, control, now=now):
                if after is not None and after.is_open and after != known:
                    log.warning("parked: %s", after.reason, extra={"tenant": heard.tenant})
                    self._bus.publish(TenantParked(tenant=heard.tenant, reason=after.reason))
                return


class Tries(Protocol):
    """Connects to tenants' databases without holding anybody up, however long that takes."""

    @property
    def is_busy(self) -> bool:
        """Whether a tenant is being tried, or its answer has not been fetched."""

    def has_room(self, tenant: str) -> bool:
        """Whether this tenant can be tried now: not too many are, nor this one still from the last time."""

    def begin(self, tenant: Tenant) -> None:
        """Begin to try this tenant's database."""

    def answers(self) -> list[tuple[str, str | None]]:
        """Return the tenants that were tried since the last call, each with why it cannot be reached; None: it can."""


class Prober:
    """Tries parked tenants, each when it is time, and lets them go on when they answer.

    Of several processes the one that moves the time of the next probe tries. Whichever dies in between, the next probe
    is due all the same.
    """

    def __init__(
        self,
        store: Store,
        *,
        standing: Standing,
        directory: Directory,
        bus: Bus,
        probing: Probing,
        probes: Tries,
    ) -> None:
        self._store = store
        self._standing = standing
        self._directory = directory
        self._bus = bus
        self._probing = probing
        self._probes = probes
        self._looked_at: datetime | None = None
        self._places: dict[str, int] = {}
        """Where each tenant with a circuit was when last looked at, as a hash: its URL may hold a password."""

    @property
    def is_busy(self) -> bool:
        """Whether a tenant is being tried."""
        return self._probes.is_busy

    def tick(self, now: datetime) -> timedelta:
        for tenant, reason in self._probes.answers():
            self._take(tenant, reason, now)
        circuits = self._standing.circuits
        moved: set[str] = set()
        if circuits and (self._looked_at is None or not timedelta(0) <= now - self._looked_at < LISTED):
            moved = self._look(set(circuits), now)
            self._looked_at = now
        for name, circuit in sorted(circuits.items(), key=lambda item: item[1].probe_at or now):
            if name in moved or rules.is_due(circuit, now=now):
                self._probe(name, now, at_once=name in moved)
        return EVERY

    def _look(self, names: set[str], now: datetime) -> set[str]:
        """Drop what belongs to tenants that are gone, and return those whose database is said to be elsewhere now."""
        moved: set[str] = set()
        try:
            found = {name: self._directory.find(name, now=now) for name in names}
        except TenantListFailed as error:
            log.warning("cannot tell whether parked tenants are still there: %s", error)
            return moved
        places: dict[str, int] = {}
        for name, tenant in found.items():
            if tenant is None:
                self._forget(name)
                continue
            places[name] = hash((tenant.url, tenant.schema))
            if self._places.get(name, places[name]) != places[name]:
                moved.add(name)
        self._places = places
        return moved

    def _forget(self, name: str) -> None:
        control = self._store.control(ControlKind.CIRCUIT, name)
        if control is not None:
            self._store.drop_control(ControlKind.CIRCUIT, name, expected_version=control.version)

    def _probe(self, name: str, now: datetime, *, at_once: bool) -> None:
        if not self._probes.has_room(name):
            # It stays due.
            return
        try:
            tenant = self._directory.find(name, now=now)
        except TenantListFailed:
            return
        control = self._store.control(ControlKind.CIRCUIT, name)
        circuit = Circuit.read(control)
        if tenant is None or control is None or circuit is None:
            return
        # Another process may have tried since this one looked.
        if not circuit.is_open or not (at_once or rules.is_due(circuit, now=now)):
            return
        claimed = rules.claimed(circuit, name, self._probing, now=now)
        if write(self._store, name, claimed, control, now=now):
            self._probes.begin(tenant)

    def _take(self, tenant: str, reason: str | None, now: datetime) -> None:
        while True:
            control = self._store.control(ControlKind.CIRCUIT, tenant)
            circuit = Circuit.read(control)
            if control is None or circuit is None or not circuit.is_open:
                return
            if reason is None:
                if drop(self._store, control, circuit, bus=self._bus, now=now):
                    # Its runs go on at once, also where this process ends soon.
                    self._standing.tick(now)
                    return
            elif write(self._store, tenant, rules.in_vain(circuit, reason), control, now=now):
                return


def write(
    store: Store,
    tenant: str,
    circuit: Circuit,
    before: Control | None,
    *,
    now: datetime,
    audit: AuditEntry | None = None,
) -> bool:
    """Write a tenant's circuit if it is still what it was, and return whether it was."""
    control = Control(
        kind=ControlKind.CIRCUIT,
        name=tenant,
        body=circuit.body(),
        version=1 if before is None else before.version + 1,
        changed_at=now,
    )
    return store.put_control(control, expected_version=None if before is None else before.version, audit=audit)


def every_circuit(store: Store) -> dict[str, Circuit]:
    """Return the circuits of tenants, by tenant; what cannot be read is left out."""
    return {control.name: circuit for control, circuit in readable(store.controls(ControlKind.CIRCUIT), Circuit)}


def make_due(store: Store, tenant: str, *, now: datetime, audit: AuditEntry | None) -> bool:
    """Have a parked tenant tried by the next who looks, and return whether it is parked."""
    while True:
        before = store.control(ControlKind.CIRCUIT, tenant)
        circuit = Circuit.read(before)
        if before is None or circuit is None or not circuit.is_open:
            return False
        if write(store, tenant, replace(circuit, probe_at=now), before, now=now, audit=audit):
            return True


def drop(store: Store, control: Control, circuit: Circuit, *, bus: Bus, now: datetime) -> bool:
    """Forget a tenant's failures, tell of it if it was parked, and return whether this call did."""
    if not store.drop_control(ControlKind.CIRCUIT, control.name, expected_version=control.version):
        return False
    if circuit.parked_at is not None:
        log.warning("no longer parked", extra={"tenant": control.name})
        bus.publish(TenantRecovered(tenant=control.name, parked_for=now - circuit.parked_at))
    return True
