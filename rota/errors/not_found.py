"""What somebody named, and what is not there: exit 3."""

from collections.abc import Iterable

from rota.errors.root import RotaError, close_names, probably


class NotFound(RotaError, LookupError):
    """A name or an id that is not there."""

    noun = "thing"

    def __init__(self, name: str, *, known: Iterable[str] = (), where: str = "") -> None:
        """`where`: what names it, when that is not what was asked."""
        begins = f"{where}: " if where else ""
        super().__init__(f"{begins}no {self.noun} {name!r}{probably(close_names(name, known))}")
        self.name = name


class JobNotFound(NotFound):
    """No job is registered under this name."""

    noun = "job"


class QueueNotFound(NotFound):
    """No job, and no setting, names this queue."""

    noun = "queue"


class WatchNotFound(NotFound):
    """No script outside of Rota is watched under this name."""

    noun = "watched script"


class ScheduleNotFound(NotFound):
    """No schedule has this name."""

    noun = "schedule"


class NothingToImport(NotFound):
    """A file of another system names no schedule."""

    def __init__(self, system: str, *, looked_for: str) -> None:
        Exception.__init__(self, f"no schedules of {system} in this file; looked for {looked_for}")
        self.name = system


class TenantNotFound(NotFound):
    """The tenant source does not list this tenant."""

    noun = "tenant"


class RunNotFound(NotFound):
    """No run has this id: it never existed, or retention has pruned it."""

    noun = "run"


class RunOrRoundNotFound(RunNotFound):
    """Neither a run nor a round has this id, or several begin with it."""

    noun = "run or round"


class ErrorNotFound(NotFound):
    """No error record has this fingerprint, or several begin with it: it never happened, or retention forgot it."""

    noun = "error"


class NothingNamed(NotFound):
    """Nothing that can be asked about has this name, and as a schedule text it cannot be read either."""

    noun = "job, schedule, run, round or backfill"

    def __init__(self, name: str, *, known: Iterable[str] = (), unread: str | None = None) -> None:
        super().__init__(name, known=known)
        if unread is not None:
            self.args = (f"{self.args[0]}; read as a schedule: {unread}",)


class RoundNotFound(NotFound):
    """No round has this id: it never existed, or retention has pruned it."""

    noun = "round"


class FlowNotFound(NotFound):
    """No chain or batch has this id: it never existed, or retention has pruned it."""

    noun = "flow"


class CampaignNotFound(NotFound):
    """No backfill has this id, or several begin with it."""

    noun = "backfill"


class IncidentNotFound(NotFound):
    """No incident has this id, or several begin with it."""

    noun = "incident"


class ChannelNotFound(NotFound):
    """No channel of alerts is called so."""

    noun = "channel"
