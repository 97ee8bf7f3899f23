"""What Rota could do, and does not for a reason that it names: exit 5."""

from rota.errors.root import RotaError


class Refused(RotaError):
    """Rota will not do this here and now, for the reason given."""


class Forbidden(Refused):
    """Whoever asks may not do that."""


class Overlapping(Refused):
    """A job was to be started by hand while an earlier run of it is not over, and its policy is to skip such a one."""

    def __init__(self, job: str, *, policy: str, run_id: str | None = None) -> None:
        at_work = "an earlier run of it" if run_id is None else f"its run {run_id}"
        super().__init__(
            f"job {job!r} is not started: {at_work} is not over, and its overlap policy is {policy!r}; wait for that, "
            "cancel it, or let this one stand in line behind it with wait"
        )
        self.job = job
        self.run_id = run_id


class KeyReused(Refused):
    """Something was asked under an Idempotency-Key that stood for something else within the last day."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"Idempotency-Key {key!r} was used for another request within 24 hours: each request that is meant anew "
            "needs a key of its own"
        )
        self.key = key


class TooFast(Refused):
    """Whoever asks, or is asked for, goes faster than the settings allow."""

    def __init__(self, what: str, *, retry_after_s: int) -> None:
        super().__init__(f"{what}: try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class BacklogFull(Refused):
    """More runs wait than the settings let wait; one more would only make it longer."""

    retry_after_s = 10

    def __init__(self, what: str, *, most: int) -> None:
        super().__init__(f"{what}, and web.most_queued is {most:,}: let workers catch up, start more of them")
        self.most = most


class SchemaMismatch(Refused):
    """The store's schema is older than the code, or too new for it (R70)."""


class SlotPassed(Refused):
    """A one-time schedule was asked for a time that is over."""

    def __init__(self, name: str, *, slot: str) -> None:
        super().__init__(
            f"schedule {name!r} is for {slot}, which is over: give a time to come, or force=True (--force) to run now"
        )
        self.name = name
        self.slot = slot


class SlotRanAlready(Refused):
    """A one-time schedule was asked to run again for a time at which it has run: a slot runs once, for ever (G4)."""

    def __init__(self, name: str, *, slot: str, round_id: str) -> None:
        super().__init__(
            f"schedule {name!r} ran for {slot} already: rota retry {round_id} runs that again, another time runs anew"
        )
        self.name = name
        self.slot = slot
        self.round_id = round_id


class EditedMeanwhile(Refused):
    """Something was to be changed as it was read, and somebody has changed it since."""

    def __init__(self, what: str, *, version: int, expected: int) -> None:
        has = f"has version {version}" if version else "is not there"
        super().__init__(
            f"{what} {has}, not {f'version {expected}' if expected else 'new'}: read it again, then change it"
        )
        self.version = version
        self.expected = expected


class ScheduleInCode(Refused):
    """A schedule was to be deleted that the code declares: the next deploy would bring it back."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"schedule {name!r} is declared in the code and would come back: pause it, or take it out of the code"
        )
        self.name = name


class ImportRefused(Refused):
    """Some lines of a list cannot be created, so that none were."""


class UnsafeStore(Refused):
    """The store, as it is set up, cannot keep what Rota promises (R70)."""


class NotUnique(Refused):
    """A run that is to be the only one of its name met another one; nothing was queued."""

    def __init__(self, job: str, *, name: str, run_id: str | None) -> None:
        """`run_id`: the run that has the name; None where another one of the same call is to have it."""
        holder = "another one of the same call wants it" if run_id is None else f"run {run_id} has it"
        super().__init__(
            f"job {job!r}: the name {name} is taken: {holder}; wait for it, or enqueue with on_conflict='existing' or "
            "'replace'"
        )
        self.job = job
        self.name = name
        self.run_id = run_id


class StoreIsBlackHole(Refused):
    """A result was asked of the black hole, which discards everything (R33)."""
