"""Scripts outside of Rota that are to say that they succeeded: any line of a crontab can be watched (R51)."""

import re
from collections.abc import Collection, Sequence
from datetime import timedelta

from msgspec.structs import replace

from rota.core.builder import When, as_timing
from rota.core.controls import ControlKind
from rota.core.duration import parse_duration
from rota.core.events import PingFailed
from rota.core.expecting import Watch, rule_of_watch
from rota.core.freshness import Allowance, expectation, grace_of, slot_of_ping
from rota.core.timing import with_default_zone
from rota.core.watched import Ping, PingKind
from rota.engine.bus import Bus
from rota.errors import BadSchedule, ConfigurationError, WatchNotFound
from rota.footing import Footing
from rota.redaction import redacted

LONGEST_NAME = 200
LONGEST_TEXT = 10_000
"""Characters that are kept of what a script says: the last ones, where it says how it ended."""

_WITHIN = re.compile(r"(?:^|,)\s*within\s+(?P<within>.+)$")


class Pings:
    """The scripts that are watched, by name, and what they said."""

    def __init__(self, footing: Footing, *, bus: Bus) -> None:
        self._store = footing.store
        self._clock = footing.clock
        self._settings = footing.settings
        self._bus = bus
        self._in_code: dict[str, Watch] = {}

    def watch(
        self,
        name: str,
        *,
        schedule: When | None = None,
        fresh_within: timedelta | str | None = None,
        timeout: timedelta | str | None = None,
        description: str = "",
    ) -> Watch:
        """Expect a script outside of Rota to say `rota ping NAME` each time that it has succeeded.

        `schedule` says when it is started, `fresh_within` how old its last success may be: a time, or intervals of the
        schedule and a time, `"interval + 2h"`; without it the default of the settings. One of the two is needed.
        `timeout`: how long it takes at most, so that it is late after that; 15 minutes.

        Raises:
            ConfigurationError: the name is taken or none, or neither of the two is said, or one cannot be read.
            BadSchedule: the schedule cannot be read.
        """
        if name in self._in_code:
            raise ConfigurationError(f"watch({name!r}): it is declared already")
        watch = _watch(name, schedule=schedule, within=fresh_within, timeout=timeout, description=description)
        self._in_code[name] = watch
        return watch

    def take(self, other: "Pings", *, names: Collection[str]) -> None:
        """Watch those scripts that another one watches in its code and that are called so; tell those who listen to it
        what they say."""
        self._in_code = {name: watch for name, watch in other._in_code.items() if name in names}
        self._bus = other._bus

    def names(self) -> frozenset[str]:
        """Return by what names scripts are watched; whether the settings can be read is not looked at."""
        return frozenset(self._in_code) | frozenset(self._settings().freshness.watch)

    def declared(self) -> tuple[Watch, ...]:
        """Return what is watched, by name: what the settings say, and in its absence the code.

        Raises:
            ConfigurationError: names the setting that cannot be read.
        """
        settings = self._settings()
        watches = self._in_code | {name: read_watch(name, text) for name, text in settings.freshness.watch.items()}
        return tuple(_in_zone(watches[name], settings.timezone) for name in sorted(watches))

    def find(self, name: str) -> Watch:
        """Return what is watched under a name.

        Raises:
            WatchNotFound: nothing is.
        """
        known = {watch.name: watch for watch in self.declared()}
        if name not in known:
            raise WatchNotFound(name, known=known)
        return known[name]

    def record(self, name: str, kind: PingKind | str = PingKind.SUCCESS, *, text: str | None = None) -> Ping:
        """Keep what a script says of itself, and return it: that it starts, succeeded, failed, or just a word.

        A success proves its newest slot; a start proves nothing, and tells how long it took from then on. Under the
        name of a schedule in a shadow another system says what it runs in its place: that is only kept, see `Shadows`.

        Raises:
            WatchNotFound: nothing is watched under this name, and no schedule of this name is in a shadow.
            ValueError: it is no kind of ping.
            StoreUnavailable: nothing was kept; say it again.
        """
        watch, kind, now = self._expected(name), PingKind(kind), self._clock.now()
        ping = Ping(
            id=self._clock.new_id(),
            name=name,
            at=now,
            kind=kind,
            text=None if text is None else redacted(text)[-LONGEST_TEXT:],
            duration=self._duration(name) if kind in (PingKind.SUCCESS, PingKind.FAIL) else None,
        )
        if watch is not None and kind is PingKind.SUCCESS:
            rule = rule_of_watch(watch, default=Allowance.parse(self._settings().freshness.default))
            slot = slot_of_ping(watch.timing, at=now)
            self._store().freshness.ping(ping, slot=slot, expected=expectation(rule, proof=slot))
        else:
            self._store().freshness.ping(ping)
        if watch is not None and kind is PingKind.FAIL:
            self._bus.publish(PingFailed(name=name, at=now, text=ping.text))
        return ping

    def history(self, name: str, *, limit: int = 20) -> Sequence[Ping]:
        """Return what a script said, newest first.

        Raises:
            WatchNotFound: nothing is watched under this name, and no schedule of this name is in a shadow.
        """
        self._expected(name)
        return self._store().freshness.pings(name, limit=limit)

    def _expected(self, name: str) -> Watch | None:
        """Return what is watched under a name; None for the schedule that another system carries out."""
        try:
            return self.find(name)
        except WatchNotFound:
            if self._store().control(ControlKind.SHADOW, name) is None:
                raise
            return None

    def _duration(self, name: str) -> timedelta | None:
        """Return how long it is since the script said that it starts, where it has not ended since."""
        for ping in self._store().freshness.pings(name, limit=50):
            if ping.kind is PingKind.START:
                return max(self._clock.now() - ping.at, timedelta(0))
            if ping.kind is not PingKind.LOG:
                return None
        return None


def read_watch(name: str, text: str) -> Watch:
    """Return what a setting says: `daily at 03:00 Europe/Paris, within 26h`; either part may be missing.

    Raises:
        ConfigurationError: names the setting.
    """
    found = _WITHIN.search(text)
    schedule = (text[: found.start()] if found else text).strip()
    try:
        return _watch(name, schedule=schedule or None, within=found["within"] if found else None)
    except (BadSchedule, ConfigurationError) as error:
        raise ConfigurationError(f"freshness.watch.{name}: {error}") from error


def _watch(
    name: str,
    *,
    schedule: When | None,
    within: timedelta | str | None,
    timeout: timedelta | str | None = None,
    description: str = "",
) -> Watch:
    if not name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
        raise ConfigurationError(f"watch({name!r}): a name is text of 1 to {LONGEST_NAME} printable characters")
    timing = None if schedule is None else as_timing(schedule)
    allowed = Allowance.parse(within) if isinstance(within, str) else within
    if isinstance(allowed, timedelta):
        allowed = Allowance(intervals=0, extra=allowed)
    if timing is None and (allowed is None or allowed.intervals):
        raise ConfigurationError(f"watch({name!r}): say schedule=, or fresh_within= as a time such as '26h'")
    if allowed is not None and allowed.of(timedelta(0)) <= timedelta(0) and not allowed.intervals:
        raise ConfigurationError(f"watch({name!r}): fresh_within is {allowed}: it must be longer than nothing")
    try:
        takes = parse_duration(timeout) if isinstance(timeout, str) else timeout
    except ValueError as error:
        raise ConfigurationError(f"watch({name!r}): timeout: {error}") from error
    return Watch(name=name, timing=timing, within=allowed, grace=grace_of(takes), description=description)


def _in_zone(watch: Watch, zone: str) -> Watch:
    if watch.timing is None:
        return watch
    return replace(watch, timing=with_default_zone(watch.timing, zone))
