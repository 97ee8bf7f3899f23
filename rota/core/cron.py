"""Cron expressions, as Debian's cron reads them (R2).

cronsim reads the fields. Added here: the @aliases, `H`, refusal of what never matches, and reasons for what is refused.
"""

import re
from calendar import monthrange
from datetime import date, datetime, time
from functools import lru_cache
from hashlib import blake2b
from itertools import product

from cronsim import CronSim, CronSimError
from msgspec import Struct

from rota.core.wall import Wall
from rota.errors import BadSchedule

LONGEST = 256
"""The length of the longest schedule text. A list of all 60 minutes has 169 characters."""

ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


class Field(Struct, frozen=True, kw_only=True):
    """One field of an expression: its name, its range, and how far `H` may reach."""

    name: str
    low: int
    high: int
    hashed_to: int
    allowed: str


_NUMBERS = "*, numbers {}, ranges a-b, lists a,b, steps */n, or H"
SECOND = Field(name="second", low=0, high=59, hashed_to=59, allowed=_NUMBERS.format("0-59"))
MINUTE = Field(name="minute", low=0, high=59, hashed_to=59, allowed=_NUMBERS.format("0-59"))
HOUR = Field(name="hour", low=0, high=23, hashed_to=23, allowed=_NUMBERS.format("0-23"))
# H stops at the 28th, as in Jenkins: a later day would leave out months for some tenants and not for others.
DAY = Field(name="day of month", low=1, high=31, hashed_to=28, allowed=_NUMBERS.format("1-31") + ", L, LW")
MONTH = Field(name="month", low=1, high=12, hashed_to=12, allowed=_NUMBERS.format("1-12 or JAN-DEC"))
WEEKDAY = Field(name="day of week", low=0, high=7, hashed_to=6, allowed=_NUMBERS.format("0-7 or SUN-SAT") + ", 5L, 5#2")
FIELDS = (SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY)

_NEVER = "never matches: no month given has such a day"
_BLAMED = {
    f"Bad {name}": field
    for name, field in zip(("second", "minute", "hour", "day-of-month", "month", "day-of-week"), FIELDS, strict=True)
}
_HASHED = re.compile(r"H(?:\(([0-9]{1,2})-([0-9]{1,2})\))?(?:/([0-9]{1,3}))?")
_STEP = re.compile(r"/([0-9]+)")
# cronsim says "22th".
_ORDINAL = re.compile(r"\b([2-5])([123])th\b")
# cronsim takes 5-5/10 for 5/10, which is 5, 15, 25 and so on; to Debian it is 5.
_LONE_RANGE = re.compile(r"\b([0-9A-Z]+)-\1/[0-9]+")
_ANY_TIME = datetime.combine(date(2000, 1, 1), time())
# Whether a day matches depends on its number, its weekday and the length of its month. In these years each month
# begins on each weekday, February in leap years too: what does not match in them never matches.
_YEARS = range(2001, 2012)
_YEARS_OF_FEBRUARY = range(2000, 2028)


@lru_cache(maxsize=2048)
def canonical(expression: str) -> str:
    """Return the one form in which this expression is stored: aliases expanded, upper case, single spaces.

    Raises:
        BadSchedule: it cannot be read, never matches, or is longer than `LONGEST`.
    """
    if len(expression) > LONGEST:
        raise BadSchedule(expression, field="text", reason=f"{len(expression)} characters; at most {LONGEST}")
    words = expression.split()
    if len(words) == 1 and words[0].startswith("@"):
        words = _expanded(expression, words[0]).split()
    if len(words) not in (5, 6):
        reason = f"{len(words)} fields; a cron expression has 5, or 6 with seconds first; a zone goes into tz="
        raise BadSchedule(expression, field="text", reason=reason)
    if not expression.isascii():
        raise BadSchedule(expression, field="text", reason="only plain letters, digits and * , - / # ( ) are allowed")
    terms = [_LONE_RANGE.sub(r"\1", word.upper()) for word in words]
    for field, term in _named(terms):
        _check_steps(expression, field, term)
    # Each value that H may take in the month has to match on its own: 31 of H would never be due for some tenants.
    picks = range(MONTH.high) if "H" in terms[-2] else range(1)
    for pick in picks:
        sim = _read(expression, [_spread(expression, field, term, pick) for field, term in _named(terms)])
        if not _ever_matches(sim):
            raise BadSchedule(expression, field=DAY.name, reason=_NEVER)
    return " ".join(terms)


def wall(expression: str, key: str) -> Wall:
    """Return the local times of a canonical expression; `key` is what its H fields are hashed from."""
    if is_hashed(expression):
        expression = " ".join(
            _spread(expression, field, term, _hash(field, key)) for field, term in _named(expression.split())
        )
    return _plain_wall(expression)


def fires_only_at_fixed_times(expression: str) -> bool:
    """Return whether neither minute nor hour starts with `*`: a fixed-time schedule in the words of R3."""
    minute, hour = expression.split()[-5:-3]
    return not minute.startswith("*") and not hour.startswith("*")


def is_hashed(expression: str) -> bool:
    """Return whether a canonical expression has an H field."""
    return "H" in expression.replace("THU", "")


def explained(expression: str) -> str:
    """Return a canonical expression without H in an English phrase."""
    said = CronSim(expression, _ANY_TIME).explain()
    said = _ORDINAL.sub(lambda found: found[1] + found[2] + {"1": "st", "2": "nd", "3": "rd"}[found[2]], said)
    day, _, weekday = expression.split()[-3:]
    if not day.startswith("*") and not weekday.startswith("*"):
        # Both restricted means either of them; cronsim says "and".
        said = said.replace(" and on ", " or on ")
    return said[0].lower() + said[1:]


@lru_cache(maxsize=512)
def _plain_wall(expression: str) -> Wall:
    sim = _read(expression, expression.split())
    return Wall(
        matches=sim.match_day,
        months=frozenset(sim.months),
        minutes=tuple(sorted(hour * 60 + minute for hour, minute in product(sim.hours, sim.minutes))),
        seconds=tuple(sorted(sim.seconds)),
        fixed=fires_only_at_fixed_times(expression),
    )


def _expanded(expression: str, alias: str) -> str:
    known = ALIASES.get(alias.lower())
    if known is None:
        raise BadSchedule(expression, field="alias", reason=f"unknown; use one of {', '.join(ALIASES)}")
    return known


def _named(terms: list[str]) -> list[tuple[Field, str]]:
    return list(zip(FIELDS[-len(terms) :], terms, strict=True))


def _check_steps(expression: str, field: Field, term: str) -> None:
    size = field.high - field.low + 1
    for step in _STEP.findall(term):
        # cronsim takes */90 for "minute 0 of every hour", which nobody means who writes it.
        if not 1 <= int(step) <= size:
            reason = f"step {step} is not between 1 and {size}; longer periods are words, as every 90 minutes"
            raise BadSchedule(expression, field=field.name, reason=reason)


def _spread(expression: str, field: Field, term: str, pick: int) -> str:
    """Return the field with every H in it replaced by the values that `pick` chooses. They stay inside the field's
    own range, so a hashed slot is never moved past the next one (R15)."""
    return ",".join(_chosen(expression, field, part, pick) for part in term.split(",")) if "H" in term else term


def _chosen(expression: str, field: Field, part: str, pick: int) -> str:
    hashed = _HASHED.fullmatch(part)
    if hashed is None:
        return part
    low, high = int(hashed[1] or field.low), int(hashed[2] or field.hashed_to)
    if not field.low <= low <= high <= field.hashed_to:
        reason = f"{part}: H(a-b) lies within {field.low}-{field.hashed_to}"
        raise BadSchedule(expression, field=field.name, reason=reason)
    size = high - low + 1
    if hashed[3] is None:
        return str(low + pick % size)
    step = int(hashed[3])
    if not 1 <= step <= size:
        raise BadSchedule(expression, field=field.name, reason=f"{part}: the step is not between 1 and {size}")
    return ",".join(map(str, range(low + pick % step, high + 1, step)))


def _hash(field: Field, key: str) -> int:
    if not key:
        # Of nobody in particular: the first value of the range, so that the slot is before every hashed instant of it.
        return 0
    # The name of the field goes in, so that H H does not walk along a diagonal. Never hash(): it differs by process.
    return int.from_bytes(blake2b(f"{field.name} {key}".encode(), digest_size=8).digest())


def _read(expression: str, terms: list[str]) -> CronSim:
    try:
        return CronSim(" ".join(terms), _ANY_TIME)
    except CronSimError as error:
        field = _BLAMED[str(error)]
        at = FIELDS.index(field) - len(FIELDS)
        reason = f"cannot read {terms[at][:40]!r}; use {field.allowed}"
        # cronsim blames the day for a month that is too short, too; it then reads the day if any month will do.
        if field is DAY and _is_readable([*terms[:-2], "*", terms[-1]]):
            reason = _NEVER
        raise BadSchedule(expression, field=field.name, reason=reason) from error


def _is_readable(terms: list[str]) -> bool:
    try:
        CronSim(" ".join(terms), _ANY_TIME)
    except CronSimError:
        return False
    return True


def _ever_matches(sim: CronSim) -> bool:
    return any(
        sim.match_day(date(year, month, day))
        for month in sim.months
        for year in (_YEARS_OF_FEBRUARY if month == 2 else _YEARS)
        for day in range(1, monthrange(year, month)[1] + 1)
    )
