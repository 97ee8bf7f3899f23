"""Exit codes, and which one an error has (R63)."""

import re
from enum import IntEnum

from rota.errors import (
    AppNotFound,
    AppNotImportable,
    BadArguments,
    BadRequest,
    BadSchedule,
    BadSearch,
    CampaignNotFound,
    ChannelNotFound,
    ConfigurationError,
    ErrorNotFound,
    IncidentNotFound,
    JobNotFound,
    NoTenant,
    NotFound,
    NothingNamed,
    QueueNotFound,
    Refused,
    RemoteFailed,
    RotaError,
    RunNotFound,
    ScheduleNotFound,
    SchemaMismatch,
    ServerUnreachable,
    SourceUnreadable,
    StoreUnavailable,
    TenantGone,
    TenantListFailed,
    TenantNotFound,
    WaitTimedOut,
    WatchNotFound,
)


class Exit(IntEnum):
    """What the command ends with."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    UNREACHABLE = 4
    REFUSED = 5
    PARTIAL = 6
    BUG = 70
    INTERRUPTED = 130
    TERMINATED = 143


MEANINGS = {
    Exit.OK: "done; nothing wrong found",
    Exit.FAILED: "what was asked about failed: a job, a check",
    Exit.USAGE: "usage, configuration, or the app cannot be imported",
    Exit.NOT_FOUND: "the thing named does not exist",
    Exit.UNREACHABLE: "the store is unreachable, or did not answer in time",
    Exit.REFUSED: "refused: the schema does not fit, the thing is in the wrong state",
    Exit.PARTIAL: "partial: some tenants or slots failed, others succeeded",
    Exit.BUG: "a bug in Rota",
    Exit.INTERRUPTED: "interrupted before it was done",
    Exit.TERMINATED: "terminated before it was done",
}

_HINTS: dict[type[RotaError], str] = {
    AppNotImportable: "put that line right",
    AppNotFound: 'name it with --app module:name, ROTA_APP, or app = "module:name" in rota.toml',
    SchemaMismatch: "rota db upgrade",
    StoreUnavailable: "rota doctor",
    TenantListFailed: "rota tenants list",
    JobNotFound: "rota jobs",
    ScheduleNotFound: "rota schedules",
    TenantNotFound: "rota tenants",
    CampaignNotFound: "rota backfills",
    ErrorNotFound: "rota errors",
    IncidentNotFound: "rota alerts",
    ChannelNotFound: "rota alerts channels",
    QueueNotFound: "rota queues",
    WatchNotFound: "rota stale --all",
    RunNotFound: "rota runs, or rota rounds",
    NothingNamed: "rota jobs, rota schedules, rota runs or rota rounds",
}


def exit_of(error: BaseException) -> Exit:
    """Return the exit code of an error that ended a command."""
    match error:
        case ConfigurationError() | BadSchedule() | BadSearch() | BadArguments() | BadRequest() | SourceUnreadable():
            return Exit.USAGE
        case NotFound() | TenantGone():
            return Exit.NOT_FOUND
        case NoTenant():
            return Exit.USAGE
        case RemoteFailed():
            return Exit(error.exit_code)
        case StoreUnavailable() | WaitTimedOut() | ServerUnreachable():
            return Exit.UNREACHABLE
        case Refused():
            return Exit.REFUSED
        case RotaError():
            return Exit.FAILED
        case KeyboardInterrupt():
            return Exit.INTERRUPTED
        case _:
            return Exit.BUG


def code_of(error: BaseException) -> str:
    """Return the error's class in lower case with underscores: what a program matches on."""
    if isinstance(error, RemoteFailed):
        return error.code
    if not isinstance(error, RotaError):
        return "internal_error" if isinstance(error, Exception) else "interrupted"
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(error).__name__).lower()


def hint_of(error: BaseException) -> str | None:
    """Return what to try next, where that is the same for every error of a class."""
    if isinstance(error, RemoteFailed):
        return error.hint
    return next((hint for kind, hint in _HINTS.items() if isinstance(error, kind)), None)
