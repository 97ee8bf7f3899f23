"""The figures as a table in Markdown."""

from typing import Any

COLUMNS = (
    "Contender",
    "drain, 1 process",
    "2 processes",
    "enqueue",
    "pick-up p50 / p99",
    "killed: lost, repeated, recovered",
)


def table(report: Any) -> str:
    """Return a report as Markdown: what it was measured on, a line per contender, and what came to no figure."""
    machine = report.machine
    lines = [
        f"{machine}; load {machine.load} before.",
        ", ".join(f"{peer} {version}" for peer, version in report.versions.items() if peer != "rota") + ".",
        "",
        f"| {' | '.join(COLUMNS)} |",
        "|---" * len(COLUMNS) + "|",
        *(line(one) for one in report.scores),
    ]
    if machine.is_busy:
        lines += ["", "Others used this machine: the figures are too low, compare them with one another only."]
    lines += [f"\nno figure: {failure}" for failure in report.failures]
    return "\n".join(lines)


def line(one: Any) -> str:
    """Return the row of one contender."""
    pick_up = "-" if one.pick_up is None else f"{one.pick_up.p50:.1f} / {one.pick_up.p99:.1f} ms"
    cells = [one.contender, number(one.drain_1), number(one.drain_2), number(one.enqueue), pick_up]
    if one.survival is None:
        cells.append("-")
    else:
        took = "never" if one.survival.recovered_s is None else f"{one.survival.recovered_s:.1f} s"
        cells.append(f"{one.survival.lost}, {one.survival.repeated}, {took}")
    return f"| {' | '.join(cells)} |"


def number(value: float | None) -> str:
    """Return jobs per second."""
    return "-" if value is None else f"{value:,.0f} /s"
