"""How many runs run at once, and how many begin in a while: declared, set by operators, looked at (R35)."""

from collections.abc import Callable, Mapping

from msgspec import Struct

from rota.audit import entry
from rota.core.controls import Control, ControlKind, LimitSetting, readable
from rota.core.limits import EACH, Limit, LimitScope, LimitUse, checked, known_as, merged, parse_rate
from rota.errors import ConfigurationError, JobNotFound, QueueNotFound, Refused, TenantNotFound
from rota.footing import Footing
from rota.redaction import remark


class LimitInUse(Struct, frozen=True, kw_only=True):
    """A limit on one job, queue, tenant, key or host, and how it is used now."""

    limit: Limit | None
    """What holds; None where runs still stand aside for one that is gone."""
    use: LimitUse
    setting: LimitSetting | None = None
    """What operators set, if this holds for it."""


class Limits:
    """What holds for all processes: what the code says, or in its place the settings, or in theirs an operator.

    A change takes hold within a second or two everywhere; what runs already goes on.
    """

    def __init__(self, footing: Footing) -> None:
        self._store = footing.store
        self._jobs = footing.jobs
        self._list_tenants = footing.list_tenants
        self._clock = footing.clock
        self._settings = footing.settings
        self._in_code: dict[str, Limit] = {}

    def declare(
        self,
        *,
        job: str | None = None,
        queue: str | None = None,
        tenant: str | None = None,
        key: str | None = None,
        host: str | None = None,
        running: int | None = None,
        rate: str | None = None,
    ) -> Limit:
        """Limit one thing: a job, a queue, a tenant, a key of `using(key=...)`, or a host of tenants' databases.

        `"*"` is each one apart; a limit with a name takes its place there, and one that says neither number lifts it.
        `running`: how many run at once; `rate`: how many begin in any such time, `"100/1m"`. Both hold exactly with any
        number of processes. That the job or queue exists is checked when work begins: it may be declared later.

        Raises:
            ConfigurationError: it names none or several, is declared twice, or a number makes no sense.
        """
        said = {"job": job, "queue": queue, "tenant": tenant, "key": key, "host": host}
        named = [(LimitScope(scope), name) for scope, name in said.items() if name is not None]
        if len(named) != 1:
            raise ConfigurationError(f"limit({_call(said)}): name one of job, queue, tenant, key and host")
        [(scope, name)] = named
        if (running is None and rate is None) and name == EACH:
            raise ConfigurationError(f"limit({_call(said)}): say running=, rate= or both")
        limit = _limit(scope, name, running=running, rate=rate)
        if limit.known_as in self._in_code:
            raise ConfigurationError(
                f"limit({_call(said)}): it is declared already, as {self._in_code[limit.known_as].said}"
            )
        self._in_code[limit.known_as] = limit
        return limit

    def take(self, other: "Limits", *, has: Callable[[Limit], bool]) -> None:
        """Declare those limits of another one that `has` says yes to."""
        self._in_code = {name: limit for name, limit in other._in_code.items() if has(limit)}

    def declared(self) -> tuple[Limit, ...]:
        """Return what the code says and, in its place, the settings.

        Raises:
            JobNotFound, QueueNotFound: a limit names a job or queue that nobody uses.
        """
        limits = merged(self._in_code.values(), self._settings().limits.read())
        for limit in limits:
            self._check(limit.scope, limit.name)
        return limits

    def holding(self) -> tuple[Limit, ...]:
        """Return the limits that hold now, by scope and name."""
        return merged(self.declared(), [setting.limit for setting in self.settings().values()])

    def settings(self) -> Mapping[str, LimitSetting]:
        """Return what operators set, by the limits' own names; what cannot be read is left out."""
        kept = self._store().controls(ControlKind.LIMIT)
        return {control.name: setting for control, setting in readable(kept, LimitSetting)}

    def in_use(self) -> list[LimitInUse]:
        """Return every limit with its use: those with a name, and those on each wherever they are used now."""
        settings, limits = self.settings(), self.holding()
        uses = {use.name: use for use in self._store().limit_use(limits, now=self._clock.now(), counts_aside=True)}
        by_name = {limit.known_as: limit for limit in limits}
        found = []
        for name in sorted(by_name.keys() | uses.keys()):
            general = known_as(LimitScope(name.partition(":")[0]), EACH)
            limit = by_name.get(name) or by_name.get(general)
            setting = settings.get(name) or (settings.get(general) if name not in by_name else None)
            found.append(LimitInUse(limit=limit, use=uses.get(name, LimitUse(name=name)), setting=setting))
        return found

    def set(
        self,
        scope: LimitScope | str,
        name: str,
        *,
        running: int | None = None,
        rate: str | None = None,
        reason: str,
        actor: str | None = None,
    ) -> Limit:
        """Set a limit in place of what code and settings say of the same, until it is dropped; neither number lifts it.

        Raises:
            JobNotFound, QueueNotFound, TenantNotFound: there is none of that name.
            ConfigurationError: no reason, or a number makes no sense.
        """
        scope = LimitScope(scope)
        limit = _limit(scope, name, running=running, rate=rate)
        self._check(scope, name)
        if scope is LimitScope.TENANT and name != EACH:
            known = [tenant.id for tenant in self._list_tenants()]
            if name not in known:
                raise TenantNotFound(name, known=known)
        if not reason.strip():
            raise ConfigurationError("a limit needs a reason: people on call will ask for it")
        audit = entry(
            self._clock, actor=actor, action="limit.set", target=limit.known_as, reason=reason, limit=limit.said
        )
        now = self._clock.now()
        setting = LimitSetting(limit=limit, reason=remark(reason), author=audit.actor, since=now)
        while True:
            known_control = self._store().control(ControlKind.LIMIT, limit.known_as)
            version = None if known_control is None else known_control.version
            control = Control(
                kind=ControlKind.LIMIT,
                name=limit.known_as,
                body=setting.body(),
                version=(version or 0) + 1,
                changed_at=now,
            )
            if self._store().put_control(control, expected_version=version, audit=audit):
                return limit

    def drop(self, scope: LimitScope | str, name: str, *, reason: str | None = None, actor: str | None = None) -> None:
        """Take away what operators set: what code and settings say holds again.

        Raises:
            Refused: nobody set it.
        """
        known = known_as(LimitScope(scope), name)
        audit = entry(self._clock, actor=actor, action="limit.drop", target=known, reason=reason)
        while True:
            control = self._store().control(ControlKind.LIMIT, known)
            if control is None:
                raise Refused(
                    f"limit {scope} {name!r} was not set by anybody; what the code or the settings say is lifted with "
                    f"rota limits set {scope} {name} --lift"
                )
            if self._store().drop_control(
                ControlKind.LIMIT, known, expected_version=control.version, audit=audit
            ):  # fmt: skip
                return

    def _check(self, scope: LimitScope, name: str) -> None:
        """Refuse a job or a queue that nobody uses: a limit on it would limit nothing."""
        if name == EACH:
            return
        where = f"limit {scope} {name!r}"
        if scope is LimitScope.JOB and name not in self._jobs:
            raise JobNotFound(name, known=self._jobs, where=where)
        if scope is LimitScope.QUEUE:
            known = {"default", *self._settings().worker.queues, *(one.job.queue for one in self._jobs.values())}
            if name not in known:
                raise QueueNotFound(name, known=known, where=where)


def _limit(scope: LimitScope, name: str, *, running: int | None, rate: str | None) -> Limit:
    return checked(
        Limit(scope=scope, name=name, running=running, rate=None if rate is None else parse_rate(rate))
    )  # fmt: skip


def _call(said: Mapping[str, str | None]) -> str:
    return ", ".join(f"{scope}={name!r}" for scope, name in said.items() if name is not None)
