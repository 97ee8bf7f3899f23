"""Boards as HTML and SVG. Every text goes through the escaping of the template engine (T33)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from rota.core.board import Board, Day, Section
from rota.core.duration import rough_duration
from rota.core.freshness import Freshness
from rota.core.safe import safe_text

if TYPE_CHECKING:
    from jinja2 import Environment

MARKS: Mapping[Freshness, str] = {
    Freshness.FRESH: "●",
    Freshness.LATE: "▲",
    Freshness.STALE: "■",
    Freshness.NEW: "○",
    Freshness.PAUSED: "❚❚",
}
"""Never colour alone: each state has a shape and a word."""

COLOURS: Mapping[Freshness, str] = {
    Freshness.FRESH: "#1a7f4b",
    Freshness.LATE: "#8a5d00",
    Freshness.STALE: "#c0262d",
    Freshness.NEW: "#5b6472",
    Freshness.PAUSED: "#5b6472",
}

BAR, LEAST = 32, 5
"""Height of the bar of a day, and of the part of it that says that something was not in time, at least."""

LETTER = 7
"""Pixels that a letter of a badge takes, about; a badge that is a little too wide harms nobody."""


def overview(board: Board, files: Mapping[str, str], *, title: str, is_public: bool) -> str:
    """Return the page of all jobs; `files` names the page of each, without its ending."""
    template = _environment().get_template("overview.html")
    return template.render(board=board, files=files, title=title, is_public=is_public, now=board.at)


def job_page(board: Board, section: Section, *, title: str, is_public: bool, most: int) -> str:
    """Return the page of one job, with at most so many tenants by name."""
    template = _environment().get_template("job.html")
    return template.render(
        board=board,
        section=section,
        title=title,
        is_public=is_public,
        now=board.at,
        shown=section.proofs[:most],
        left_out=len(section.proofs) - most,
    )


def badge(name: str, state: Freshness) -> str:
    """Return an SVG with a name and the word of a state."""
    name = name if len(name) <= 60 else f"{name[:59]}…"
    left, right = len(name) * LETTER + 12, len(state) * LETTER + 12
    return _environment().get_template("badge.svg").render(name=name, state=state, left=left, right=right)


@cache
def _environment() -> "Environment":
    # Here, since a process that writes no page need not hold it.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("rota.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "age": _age,
        "instant": _instant,
        "share": _share,
        "told": _told,
        "missed": _missed,
        "verdict": _verdict,
    }
    environment.globals |= {"MARKS": MARKS, "COLOURS": COLOURS, "Freshness": Freshness}
    environment.finalize = _shown
    return environment


def _shown(value: object) -> object:
    from markupsafe import Markup

    # All that is shown, not only what a template thinks of: control characters become text (T31).
    return safe_text(value, lines=True) if isinstance(value, str) and not isinstance(value, Markup) else value


def _age(instant: datetime, now: datetime) -> str:
    length = rough_duration(abs(now - instant).total_seconds())
    return f"{length} ago" if instant <= now else f"in {length}"


def _instant(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _told(day: Day) -> str:
    if day.worst is None:
        return "nothing is known"
    if day.in_time is None:
        return f"nothing was expected ({day.worst})"
    return f"in time {_share(day.in_time)} of the time, at worst {day.worst}"


def _missed(day: Day) -> float:
    """Return how much of its bar shows that something was not in time: never too little to be seen."""
    if day.in_time is None or day.worst not in (Freshness.STALE, Freshness.LATE):
        return 0
    return max(LEAST, round((1 - day.in_time) * BAR, 1))


def _verdict(board: Board) -> str:
    stale, late = board.count(Freshness.STALE), board.count(Freshness.LATE)
    if stale:
        return f"{stale:,} overdue"
    if late:
        return f"nothing is overdue, {late:,} late"
    return "nothing is overdue" if board.sections else "nothing is expected: there is no schedule to show"


def _share(share: float | None) -> str:
    if share is None:
        return "–"
    # Never rounded up to perfect: 99.999 % was not all of it.
    return "100 %" if share == 1 else f"{int(share * 10_000) / 100:.2f} %"
