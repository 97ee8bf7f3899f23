"""What is paused or parked now, and what limits hold, as this process knows it."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType

import msgspec
from msgspec import Struct

from rota.core.controls import Circuit, Control, ControlKind, Kept, LimitSetting, Pause, Paused, Shadow
from rota.core.limits import Limit, merged
from rota.ports import Store

log: logging.Logger = logging.getLogger(__name__)


class Known(Struct, frozen=True, kw_only=True):
    """One look at the controls."""

    pauses: Mapping[tuple[Paused, str], Pause] = MappingProxyType({})
    circuits: Mapping[str, Circuit] = MappingProxyType({})
    """Of tenants that could not be reached lately, parked or not yet."""

    @property
    def parked(self) -> frozenset[str]:
        return frozenset(tenant for tenant, circuit in self.circuits.items() if circuit.is_open)

    def paused(self, kind: Paused) -> frozenset[str]:
        return frozenset(name for paused, name in self.pauses if paused is kind)


class Standing:
    """Looks each second, and ends pauses whose time is over (R12).

    While the store is away, what was known last stands. Its fields may be read from any thread.
    """

    def __init__(self, store: Store, *, limits: Sequence[Limit] = (), every: timedelta = timedelta(seconds=1)) -> None:
        """`limits`: what the code declares."""
        self._store = store
        self._every = every
        self._declared = tuple(limits)
        self._known = Known()
        self.paused_jobs: frozenset[str] = frozenset()
        self.paused_queues: frozenset[str] = frozenset()
        self.paused_tenants: frozenset[str] = frozenset()
        self.held_tenants: frozenset[str] = frozenset()
        """Paused and parked ones: nothing of theirs begins."""
        self.shadows: Mapping[str, Shadow] = MappingProxyType({})
        """Schedules that another system still carries out, by name."""
        self.limits: tuple[Limit, ...] = merged(self._declared, ())
        """What holds for all who claim: what the code declares, and what operators set in its place."""

    def tick(self, now: datetime) -> timedelta:
        controls = self._store.controls()
        pauses = list(_read(controls, ControlKind.PAUSE, Pause))
        self._take(Known(
            pauses={(pause.kind, pause.name): pause for _, pause in pauses if not pause.is_over(now)},
            circuits={control.name: circuit for control, circuit in _read(controls, ControlKind.CIRCUIT, Circuit)},
        ))  # fmt: skip
        self.shadows = {control.name: shadow for control, shadow in _read(controls, ControlKind.SHADOW, Shadow)}
        settings = [setting for _, setting in _read(controls, ControlKind.LIMIT, LimitSetting)]
        limits = merged(self._declared, [setting.limit for setting in settings])
        if limits != self.limits:
            self.limits = limits
        for control, pause in pauses:
            if pause.is_over(now):
                # Of several processes one does it; and a pause that was just made longer stays.
                self._store.drop_control(ControlKind.PAUSE, control.name, expected_version=control.version)
        return self._every

    def _take(self, known: Known) -> None:
        self._known = known
        self.paused_jobs = known.paused(Paused.JOB)
        self.paused_queues = known.paused(Paused.QUEUE)
        self.paused_tenants = known.paused(Paused.TENANT)
        self.held_tenants = self.paused_tenants | known.parked

    def pause(self, kind: Paused, name: str) -> Pause | None:
        """Return how one of them is paused; None when it is not."""
        return self._known.pauses.get((kind, name))

    def is_parked(self, tenant: str) -> bool:
        """Whether the tenant's database could not be reached several times in a row (R25)."""
        circuit = self._known.circuits.get(tenant)
        return circuit is not None and circuit.is_open

    @property
    def circuits(self) -> Mapping[str, Circuit]:
        """How it stands with the tenants whose databases could not be reached lately."""
        return self._known.circuits


def _read(controls: Iterable[Control], kind: ControlKind, setting: type[Kept]) -> Iterator[tuple[Control, Kept]]:
    for control in controls:
        if control.kind is kind:
            try:
                yield control, setting.of(control)
            except msgspec.MsgspecError as error:
                # One that cannot be read must not end the others.
                log.error("the %s %s cannot be read and is passed over: %s", kind, control.name, error)
