"""Every exception of Rota, in one tree.

RotaError
├── ConfigurationError (ValueError)     what was configured cannot work: exit 2
│   ├── UnknownSetting                  a key nobody reads, with the key that was probably meant
│   ├── DuplicateJob                    two registrations under one name, naming both places
│   ├── UnknownDependency               a job depends on one that is not registered
│   ├── DependencyCycle                 jobs that wait for one another, named in their order
│   ├── AppNotFound                     no Rota object where the command looked for one
│   │   └── AppNotImportable            its module raised, with the line of the application
│   ├── UnsupportedJob                  a function that cannot be a job, with the reason
│   └── MissingExtra (ImportError)      an optional dependency, with the line that installs it
├── BadSchedule (ValueError)            a schedule text that is refused, with field and reason
├── BadSearch (ValueError)              a search with a term that cannot be read, with what is
├── SourceUnreadable (ValueError)       a configuration of another system that cannot be read at all
├── NoEqual (ValueError)                a line of such a configuration that has no equal here
├── BadArguments (TypeError)            arguments that do not fit the job's signature
│   ├── ArgumentsNotJson                a value that has no JSON form
│   └── ArgumentsTooBig                 over the size limit
├── BadRequest (ValueError)             a question over HTTP that cannot be read, with field and reason
├── NotJson (TypeError)                 a value that has no JSON form, with its place in the whole
├── NotDecodable (ValueError)           a text that is not JSON, or not of the type asked for
├── ResultNotStorable (TypeError)       a job returned what has no JSON form, or too much of it
├── NotFound (LookupError)              exit 3
│   ├── JobNotFound, QueueNotFound, RunNotFound, RoundNotFound, ScheduleNotFound, TenantNotFound, NothingToImport,
│   ├── CampaignNotFound, FlowNotFound, RunOrRoundNotFound, NothingNamed, ErrorNotFound, WatchNotFound,
│   ├── IncidentNotFound, ChannelNotFound
├── Refused                             exit 5
│   ├── Forbidden                       whoever asks may not do that; over HTTP 403
│   ├── Overlapping                     an earlier run of a job that was to be started is not over
│   ├── KeyReused                       an Idempotency-Key came again with another request; over HTTP 422
│   ├── TooFast, BacklogFull            what is asked is too much; over HTTP 429 and 503, with Retry-After
│   ├── SchemaMismatch                  the schema is older than the code, or too new for it
│   ├── SlotPassed                      a one-time schedule for a time that is over
│   ├── SlotRanAlready                  a one-time schedule for a time that is over, and at which it has run
│   ├── EditedMeanwhile                 somebody has changed it since it was read
│   ├── ScheduleInCode                  a schedule that only a change of the code can take away
│   ├── ImportRefused                   a list with lines that cannot be created; nothing was
│   ├── UnsafeStore                     the store cannot keep what Rota promises here
│   ├── NotUnique                       another run has the name that this one was to have alone
│   └── StoreIsBlackHole                a result was asked of a store that discards
├── ServerUnreachable                   the server that a command talks to does not answer: exit 4
├── RemoteFailed                        it answered that it will not, or cannot, with its words and exit code
├── StoreUnavailable                    the store could not be reached; nothing was written: exit 4
├── FleetUnavailable                    the broker of a fleet takes no messages; runs are given back
├── CallFailed                          a task of another queue that a run called did not succeed
├── TransactionFailed                   a database refused a run in the application's own transaction
├── TenantUnavailable                   a tenant's database cannot be opened
├── TenantListFailed                    the source failed, or listed nobody
├── DeliveryFailed                      an alert was not accepted at the other end of a channel
├── NotReached                          a web address did not answer as it must, in time and within bounds
│   └── AddressRefused (ValueError)     it may not be reached at all, with the rule that says so
├── CarriedUnreadable (ValueError)       what a run carries is broken, or of another version
├── NoJobContext (LookupError)          there is no request and no run that a job context could come from
├── ContextMismatch                     a job context of one tenant, and work for another one
├── NoTenant                            a job asked for its tenant and has none
│   └── TenantGone                      the tenant was deleted after its run was queued
├── RunFailed                           the result of a run was awaited, and it ended otherwise
├── WaitTimedOut (TimeoutError)         a run did not end within the time given
├── MeasurementFailed                   a benchmark that came to no figure
├── NeverAtRest                         work that is done by hand feeds itself without end
├── PageNotWritten                      a status page could not be replaced: the old one is there still
├── BrokenFrame (ValueError)            a child process said what nobody says
├── RetryLater                          raised by a job: try again, after this pause
└── Stopped                             raised inside a job by ctx.check() when it should stop
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from rota.errors.not_found import (
    CampaignNotFound,
    ChannelNotFound,
    ErrorNotFound,
    FlowNotFound,
    IncidentNotFound,
    JobNotFound,
    NotFound,
    NothingNamed,
    NothingToImport,
    QueueNotFound,
    RoundNotFound,
    RunNotFound,
    RunOrRoundNotFound,
    ScheduleNotFound,
    TenantNotFound,
    WatchNotFound,
)
from rota.errors.refused import (
    BacklogFull,
    EditedMeanwhile,
    Forbidden,
    ImportRefused,
    KeyReused,
    NotUnique,
    Overlapping,
    Refused,
    ScheduleInCode,
    SchemaMismatch,
    SlotPassed,
    SlotRanAlready,
    StoreIsBlackHole,
    TooFast,
    UnsafeStore,
)
from rota.errors.root import RotaError, close_names, probably

__all__ = [
    "WatchNotFound",
    "CampaignNotFound",
    "ChannelNotFound",
    "ErrorNotFound",
    "Forbidden",
    "IncidentNotFound",
    "FlowNotFound",
    "ImportRefused",
    "KeyReused",
    "JobNotFound",
    "NotFound",
    "NotUnique",
    "NothingNamed",
    "NothingToImport",
    "Overlapping",
    "QueueNotFound",
    "Refused",
    "RotaError",
    "RoundNotFound",
    "RunNotFound",
    "RunOrRoundNotFound",
    "EditedMeanwhile",
    "ScheduleInCode",
    "ScheduleNotFound",
    "SchemaMismatch",
    "SlotPassed",
    "SlotRanAlready",
    "StoreIsBlackHole",
    "BacklogFull",
    "TenantNotFound",
    "TooFast",
    "UnsafeStore",
    "close_names",
]
"""What stands in the modules beside this one, and is imported from here."""


class ConfigurationError(RotaError, ValueError):
    """What was configured cannot work; nothing was started."""


class UnknownSetting(ConfigurationError):
    """A settings key that nothing reads."""

    def __init__(self, key: str, *, where: str, close: Iterable[str] = ()) -> None:
        super().__init__(f"unknown setting {key!r} in {where}{probably(close)}")
        self.key = key
        self.where = where


class DuplicateJob(ConfigurationError):
    """A second function was registered under a name that is taken."""

    def __init__(self, name: str, *, first: str, second: str) -> None:
        super().__init__(
            f"job {name!r} is registered twice: at {first} and at {second}; give one of them another name=..."
        )
        self.name = name
        self.first = first
        self.second = second


class UnknownDependency(ConfigurationError):
    """A job depends on one that is not registered."""

    def __init__(self, job: str, *, needs: str, known: Iterable[str]) -> None:
        super().__init__(
            f"job {job!r} depends on {needs!r}, and no such job is registered{probably(close_names(needs, known))}"
        )
        self.job = job
        self.needs = needs


class DependencyCycle(ConfigurationError):
    """Jobs that depend on one another in a circle: none of them could ever begin (R11)."""

    def __init__(self, cycle: Sequence[str]) -> None:
        super().__init__(f"jobs depend on one another in a circle: {' -> '.join(cycle)}; take one depends_on away")
        self.cycle: tuple[str, ...] = tuple(cycle)


class AppNotFound(ConfigurationError):
    """No Rota object was found where the command looked for one."""


class AppNotImportable(AppNotFound):
    """The module of the application raised while it was imported."""


class UnsupportedJob(ConfigurationError):
    """A function cannot be a job the way it was declared."""


class MissingExtra(ConfigurationError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, extra: str, *, needed_for: str) -> None:
        super().__init__(f"{needed_for} needs an extra: pip install 'rota[{extra}]'")
        self.extra = extra


class BadSchedule(RotaError, ValueError):
    """A schedule text that is refused when it is defined (R2)."""

    def __init__(self, text: str, *, field: str, reason: str) -> None:
        shown = text if len(text) <= 80 else text[:77] + "..."
        super().__init__(f"schedule {shown!r}: {field}: {reason}")
        self.text = text
        self.field = field
        self.reason = reason


class BadSearch(RotaError, ValueError):
    """A search has a term that cannot be read; the message names it, and what can be."""


class SourceUnreadable(RotaError, ValueError):
    """The configuration of another system cannot be read at all: too big, not text, not its language."""


class NoEqual(RotaError, ValueError):
    """A line of another system's configuration has no equal here, or cannot be read without running it."""


class BadArguments(RotaError, TypeError):
    """The arguments of a run do not fit the signature of its job."""


class ArgumentsNotJson(BadArguments):
    """An argument has no JSON form. The message names its place and its type, never its value."""

    def __init__(self, at: str, reason: str) -> None:
        super().__init__(f"{at}: {reason}" if at else reason)
        self.at = at
        self.reason = reason


class ArgumentsTooBig(BadArguments):
    """The arguments of a run are larger than the limit, in bytes of JSON."""

    def __init__(self, *, size: int, limit: int) -> None:
        super().__init__(
            f"the arguments are {size:,} bytes of JSON, the limit is {limit:,}: "
            "store what is big elsewhere and pass where"
        )
        self.size = size
        self.limit = limit


class BadRequest(RotaError, ValueError):
    """A question over HTTP cannot be read."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.field = field
        self.reason = reason


class NotJson(RotaError, TypeError):
    """A value has no JSON form. `at` is its place in the whole, such as `customer.born[2]`."""

    def __init__(self, at: str, reason: str) -> None:
        super().__init__(f"{at}: {reason}" if at else reason)
        self.at = at
        self.reason = reason


class NotDecodable(RotaError, ValueError):
    """A text is not JSON, or not of the type that was asked for."""

    def __init__(self, reason: str, *, at: str = "") -> None:
        super().__init__(f"{at.lstrip('.')}: {reason}" if at else reason)
        self.at = at
        self.reason = reason


class ResultNotStorable(RotaError, TypeError):
    """A job returned a value that cannot be kept: not JSON, or too big."""


class StoreUnavailable(RotaError):
    """The store could not be reached, or did not answer. Its message says whether something may have been written."""


class ServerUnreachable(RotaError):
    """The server that a command talks to does not answer, or not in this language."""


class RemoteFailed(RotaError):
    """The server that a command talks to said what is wrong."""

    exit_code: int = 1

    def __init__(self, message: str, *, code: str, exit_code: int, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        """The class of the error there."""
        self.exit_code = exit_code
        """What a command ends with there."""
        self.hint = hint


class FleetUnavailable(RotaError):
    """The processes that are to carry out a run cannot be told of it: their broker takes no messages."""


class CallFailed(RotaError):
    """A task of another queue, which a run called and waited for, did not succeed; with what that queue says of it."""


class TransactionFailed(RotaError):
    """A run could not be written in a transaction of the application's own, which is to be rolled back and repeated."""

    def __init__(self, error: Exception) -> None:
        first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        super().__init__(
            f"the run was not queued in your transaction: {type(error).__name__}: {first_line}; roll it back and "
            "repeat the whole of it"
        )


class TenantUnavailable(RotaError):
    """A tenant's database cannot be opened."""


class TenantListFailed(RotaError):
    """The tenant source failed, or listed nobody without being allowed to (R20)."""


class DeliveryFailed(RotaError):
    """A channel could not deliver an alert; no secret and nothing of the answer's body is in the message."""

    def __init__(self, reason: str, *, permanent: bool = False, retry_after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.permanent = permanent
        """Another try will fail alike: a person has to mend something first."""
        self.retry_after = retry_after
        """How long the other end asked to be left alone; None where it said nothing."""


class NotReached(RotaError):
    """A web address did not answer as it must, in time and within bounds. The message never has its path or query."""


class AddressRefused(NotReached, ValueError):
    """A web address may not be reached at all: by its form, its port, or where its name leads (T45)."""


class CarriedUnreadable(RotaError, ValueError):
    """What was carried into a run, or a serialized job context, cannot be read. Never names a value."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"{what} cannot be read: {reason}")
        self.reason = reason


class NoJobContext(RotaError, LookupError):
    """A job context was asked for where there is none."""


class ContextMismatch(RotaError):
    """A job context is of one tenant, and what it came with is for another."""

    def __init__(self, *, context: str, wanted: str, where: str) -> None:
        super().__init__(
            f"the job context is of tenant {context!r}, and {where} is for {wanted!r}: work for one tenant never "
            "carries the context of another; leave it with JobContext(tenant=...).entered(), or without one"
        )
        self.context = context
        self.wanted = wanted


class NoTenant(RotaError, LookupError):
    """A job asked for its tenant or the tenant's database, and its run has none (R22)."""


class TenantGone(NoTenant):
    """The tenant was deleted after its run was queued; the run is cancelled."""

    def __init__(self, tenant: str) -> None:
        super().__init__(f"tenant {tenant!r} is gone: its source does not list it any more")
        self.tenant = tenant


class RunFailed(RotaError):
    """The result of a run was asked for, and the run did not succeed."""

    def __init__(self, run_id: str, *, state: str, error: str | None) -> None:
        super().__init__(f"run {run_id} is {state}" + (f": {error}" if error else ""))
        self.run_id = run_id
        self.state = state
        self.error = error


class WaitTimedOut(RotaError, TimeoutError):
    """A run did not end within the time given. The run goes on."""


class MeasurementFailed(RotaError):
    """A benchmark came to no figure: a worker process ended, or nothing moved."""


class NeverAtRest(RotaError):
    """Work that is done by hand, inline or in a test, has no end: it enqueues, snoozes or retries itself."""

    def __init__(self, left: Sequence[str], *, claims: int) -> None:
        super().__init__(
            f"after {claims:,} claims there is still work: {', '.join(left)}. Does a job enqueue or snooze itself at "
            "once? Give it a delay, and let the time pass"
        )
        self.left: tuple[str, ...] = tuple(left)


class PageNotWritten(RotaError):
    """A status page could not be replaced. What was there before is there still."""

    def __init__(self, path: str, error: OSError) -> None:
        super().__init__(f"{path} could not be written: {error.strerror or error}; what was there before stays")
        self.path = path


class BrokenFrame(RotaError, ValueError):
    """Between a worker and a child process went what is too long, not JSON, or nothing that is said there."""


class RetryLater(RotaError):
    """Raised by a job: the attempt failed, and the next one, if there is one left, should come after `delay`.

    Tried again whatever the job's policy says of exceptions. `Snooze` is for what uses up no attempt.
    """

    def __init__(self, delay: timedelta | float, reason: str = "asked to be tried again later") -> None:
        super().__init__(reason)
        self.retry_after: timedelta = delay if isinstance(delay, timedelta) else timedelta(seconds=delay)


class Stopped(RotaError):
    """Raised inside a job by `ctx.check()`: the run should end now."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
