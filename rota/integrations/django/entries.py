"""The list of Django commands in `ROTA["cron"]`: what is said of each, and what is wrong with it.

Sources:
    Socorro's "Crontabber" chapter and its list of jobs: `cmd`, `cmd_args`, `frequency` ("1d" where it is not said),
    `time` in UTC, `backfill`, `last_success`.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum

from msgspec import Struct

from rota.core.kind import Timing
from rota.core.words import parse
from rota.errors import BadSchedule, NoEqual, close_names
from rota.importers.crontabber import timing_of

KEYS = ("cmd", "frequency", "time", "cmd_args", "backfill", "last_success")


class Mistake(StrEnum):
    """What kind of thing is wrong with an entry."""

    FORM = "form"
    TIMING = "timing"
    DUPLICATE = "duplicate"


class Flaw(Struct, frozen=True, kw_only=True):
    """What is wrong with an entry, and the way out."""

    kind: Mistake
    text: str
    hint: str


class Entry(Struct, frozen=True, kw_only=True):
    """A Django command that runs at times."""

    cmd: str
    timing: Timing
    args: tuple[str, ...] = ()
    backfill: bool = False
    """Whether each missed time is made up, oldest first, and told as `run_time`."""
    last_success: bool = False
    """Whether the newest time that succeeded is told as `last_success`."""


def read(items: Sequence[object]) -> Iterator[Entry | Flaw]:
    """Yield what each item says, or what is wrong with it."""
    seen: dict[str, int] = {}
    for number, item in enumerate(items, start=1):
        found = _entry(item, where=f"entry {number}")
        if isinstance(found, Entry) and (first := seen.setdefault(found.cmd, number)) != number:
            found = Flaw(
                kind=Mistake.DUPLICATE,
                text=f"entry {number}: {found.cmd!r} is entry {first} already",
                hint="A command stands in the list once: its name is what its history is kept under. "
                "For a second time of day write a command that calls it.",
            )
        yield found


def _entry(item: object, *, where: str) -> Entry | Flaw:
    if not isinstance(item, dict) or not isinstance(item.get("cmd"), str) or not item["cmd"]:
        hint = 'An entry is a dict: {"cmd": "clearsessions", "frequency": "1d", "time": "04:00"}.'
        return Flaw(kind=Mistake.FORM, text=f"{where} names no command", hint=hint)
    where = f"{where}, {item['cmd']!r}"
    for key in item:
        if key not in KEYS:
            close = close_names(str(key), KEYS)
            hint = f"Did you mean {close[0]!r}?" if close else f"There are: {', '.join(KEYS)}."
            return Flaw(kind=Mistake.FORM, text=f"{where}: nothing reads {key!r}", hint=hint)
    args = item.get("cmd_args", ())
    if not isinstance(args, list | tuple) or not all(isinstance(one, str) for one in args):
        hint = 'As on a command line, each a text: ["--persist", "--days=7"].'
        return Flaw(kind=Mistake.FORM, text=f"{where}: cmd_args is to be a list of texts", hint=hint)
    for key in ("backfill", "last_success"):
        if not isinstance(item.get(key, False), bool):
            return Flaw(kind=Mistake.FORM, text=f"{where}: {key} is to be True or False", hint=f'"{key}": True')
    try:
        text, _ = timing_of(item)
        timing = parse(text)
    except (NoEqual, BadSchedule) as error:
        hint = (
            'A frequency is a number and one of d, h, m: "1d", "6h", "5m". A time is UTC, "04:00", and goes with days.'
        )
        return Flaw(kind=Mistake.TIMING, text=f"{where}: {error}", hint=hint)
    return Entry(
        cmd=item["cmd"],
        timing=timing,
        args=tuple(args),
        backfill=item.get("backfill", False),
        last_success=item.get("last_success", False),
    )
