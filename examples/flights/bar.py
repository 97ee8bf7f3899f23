"""How far the work has come: a bar on a terminal, a line now and then elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from examples.flights.work import Standing

LINES = 10


@contextmanager
def bar(total: int, *, monotonic: Callable[[], float]) -> Iterator[Callable[[Standing], None]]:
    """Yield a function that shows a standing."""
    started, console = monotonic(), Console()
    if not console.is_terminal:
        yield _lines(total, lambda standing: _facts(standing, total, monotonic() - started))
        return
    columns = TextColumn("daily_delays"), BarColumn(bar_width=None), TextColumn("{task.fields[facts]}")
    with Progress(*columns, console=console) as drawn:
        task = drawn.add_task("", total=total, facts="")

        def show(standing: Standing) -> None:
            facts = _facts(standing, total, monotonic() - started)
            drawn.update(task, completed=total - standing.open, facts=facts)

        yield show


def _lines(total: int, facts: Callable[[Standing], str]) -> Callable[[Standing], None]:
    shown = -1

    def show(standing: Standing) -> None:
        nonlocal shown
        part = (total - standing.open) * LINES // total
        if part > shown:
            shown = part
            print(f"  {facts(standing)}", flush=True)

    return show


def _facts(standing: Standing, total: int, seconds: float) -> str:
    done = total - standing.open
    rate = done / seconds if seconds else 0.0
    left = f"{standing.open / rate:.0f} s left" if rate else "…"
    return f"{done:5,}/{total:,} runs  {standing.failed} failed  {rate:,.0f}/s  {left}"
