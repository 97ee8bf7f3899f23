"""What an importer finds: one value for each schedule of the other system, whether it can be had here or not."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta
from itertools import islice

from msgspec import Struct, field
from msgspec.structs import replace

from rota.core.kind import MOST_DAYS
from rota.core.policy import CatchUp, Overlap
from rota.core.words import parse
from rota.errors import NoEqual, SourceUnreadable

LOCAL = "no zone is said: there it is the zone of the machine, here the setting timezone; name the machine's with --tz"
PERIOD = (
    "there the period counts from a start or a last run; here its slots are fixed: "
    "multiples of the period since 1970-01-01 00:00 UTC"
)
LOST = "a time that is missed is lost there; here the job's catch_up decides: the newest is made up if it says nothing"
RAN_LATE = "of missed times one is made up, there as here; the job's catch_up may say otherwise"
OVERLAPS = "there it starts again while it still runs; here the job's overlap decides: it skips if it says nothing"

MOST = 10_000
"""Schedules of one file: more were not written by hand, and nobody reads what differs of them."""
TOO_MANY = f"it has more than {MOST:,} schedules"


class Finding(Struct, frozen=True, kw_only=True):
    """One schedule of the other system."""

    line: int
    """Where it stands in the text, from 1."""
    name: str
    """What the schedule is to be called."""
    job: str
    """The job it starts: the name that stands there, without its package, or made from a command."""
    timing: str = ""
    """The canonical text of when it is due, as `words.parse` reads it back; empty with a problem."""
    args: tuple[object, ...] = ()
    kwargs: Mapping[str, object] = field(default_factory=dict)
    zone: str | None = None
    """The zone that the text names; None: it names none, and the place of use has one."""
    tenant: str | None = None
    catch_up: CatchUp | None = None
    """None: as the job has it."""
    overlap: Overlap | None = None
    differences: tuple[str, ...] = ()
    """What is not the same here as it was there."""
    left_out: str | None = None
    """Why there is nothing to create, though nothing is wrong: it was disabled."""
    problem: str | None = None
    """Why it cannot be created: there is no equal here, or it cannot be read without running it."""


def canonical(text: str, *, zone: str | None = None) -> str:
    """Return the canonical text of a timing, in `zone` where it says none.

    Raises:
        BadSchedule: Rota refuses it.
    """
    return str(parse(text, tz=zone))


def period(length: timedelta) -> str:
    """Return the timing of a period that is counted from the epoch.

    Raises:
        NoEqual: it is no whole number of seconds, below one, or longer than ten years.
    """
    if length < timedelta(seconds=1) or length.microseconds:
        raise NoEqual(f"a period of {length.total_seconds():g} seconds: periods here are whole seconds, at least one")
    if length.days > MOST_DAYS:
        raise NoEqual(f"a period of {length.days} days is too long: at most {MOST_DAYS}")
    return canonical(f"every {length // timedelta(seconds=1)} seconds")


def apart(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings with `-2`, `-3` after a name that stood before: the same script at two times.

    Raises:
        SourceUnreadable: there are more than `MOST`.
    """
    found = list(islice(findings, MOST + 1))
    if len(found) > MOST:
        raise SourceUnreadable(TOO_MANY)
    taken = {finding.name for finding in found if finding.left_out is None}
    used: Counter[str] = Counter()
    named: list[Finding] = []
    for finding in found:
        name = finding.name
        if finding.left_out is None:
            used[name] += 1
            # The names that stand in the file come first: NAME-2 may be one of them.
            while used[finding.name] > 1 and name in taken:
                name = f"{finding.name}-{used[finding.name]}"
                used[finding.name] += name in taken
            taken.add(name)
        named.append(replace(finding, name=name))
    return named
