"""How far a long command has come: a bar on a terminal, now and then a line elsewhere, events in ndjson."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from msgspec import Struct
from msgspec.structs import asdict

from rota.cli.output import Form
from rota.cli.session import Session
from rota.core.duration import rough_duration
from rota.core.safe import safe_text

LINE_EVERY_S = 30.0


class Tally(Struct, frozen=True, kw_only=True):
    """How many of the parts of something are over."""

    done: int
    total: int
    failed: int = 0
    rate: float = 0.0
    """Parts that end per second."""
    eta_s: float | None = None


Report = Callable[[int, int, int], None]
"""Takes how many are done, of how many, and how many of them failed."""


@contextmanager
def progress(session: Session, title: str, *, monotonic: Callable[[], float]) -> Iterator[Report]:
    """Show progress on standard error while the block runs; call what it gives with each news."""
    started = monotonic()
    at_first: int | None = None

    def tally(done: int, total: int, failed: int) -> Tally:
        nonlocal at_first
        # What was over before this began says nothing of the speed.
        at_first = done if at_first is None else at_first
        passed = monotonic() - started
        rate = (done - at_first) / passed if passed > 0 else 0.0
        eta_s = round((total - done) / rate, 1) if rate and total > done else None
        return Tally(done=done, total=total, failed=failed, rate=round(rate, 2), eta_s=eta_s)

    if session.out.form is Form.NDJSON:
        yield lambda *news: session.out.event({"event": "progress", **asdict(tally(*news))})
    elif session.flags.no_progress or not session.out.is_for_people or session.out.verbosity < 0:
        yield lambda *_news: None
    elif sys.stderr.isatty():
        with _bar(safe_text(title)) as show:
            yield lambda *news: show(tally(*news))
    else:
        yield _lines(session, safe_text(title), tally, monotonic)


def _lines(
    session: Session, title: str, tally: Callable[[int, int, int], Tally], monotonic: Callable[[], float]
) -> Report:
    """Return a report that writes a line per tenth done, or when nothing was written for long."""
    shown, said_at = -1, monotonic()

    def report(done: int, total: int, failed: int) -> None:
        nonlocal shown, said_at
        tenth = done * 10 // total if total else 0
        if tenth == shown and monotonic() - said_at < LINE_EVERY_S:
            return
        shown, said_at = tenth, monotonic()
        session.out.say(f"{title}  {_text(tally(done, total, failed))}")

    return report


@contextmanager
def _bar(title: str) -> Iterator[Callable[[Tally], None]]:
    # Rich costs 50 ms: only when there is a bar to draw, on a terminal.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[facts]}", markup=False),
    )
    with Progress(*columns, console=Console(file=sys.stderr)) as drawn:
        task = drawn.add_task(title, total=None, facts="")

        def show(tally: Tally) -> None:
            drawn.update(task, completed=tally.done, total=tally.total or None, facts=_text(tally))

        yield show


def _text(tally: Tally) -> str:
    share = f"{100 * tally.done // tally.total} %" if tally.total else "-"
    ok = tally.done - tally.failed
    eta = f"  {rough_duration(tally.eta_s)} left" if tally.eta_s is not None else ""
    return f"{tally.done}/{tally.total}  {share}  {ok} ok  {tally.failed} failed  {tally.rate}/s{eta}"
