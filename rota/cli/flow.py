"""A chain or batch as text (R32)."""

from collections import Counter

from rota.cli.round import facts
from rota.core.counting import counted
from rota.core.model import State
from rota.core.part import Role
from rota.core.safe import safe_text
from rota.redaction import redacted
from rota.views.flows import FlowDetail, PartRow
from rota.views.runs import RunRow

LISTED = 50
"""Runs that stand in lines of their own; of more, those that succeeded are left out."""


def flow_lines(detail: FlowDetail) -> list[str]:
    """Return a flow with where each of its runs stands."""
    noun = "step" if detail.kind == "chain" else "member"
    counts = ", ".join(f"{detail.counts[state]} {state}" for state in State if detail.counts.get(state))
    lines = facts({"flow": detail.id, detail.kind: f"{counted(detail.total, noun)}: {counts}"})
    parts = detail.parts
    if len(parts) > LISTED:
        parts = [part for part in parts if part.run.state is not State.SUCCEEDED]
    lines += [run_line(_what(part), part.run) for part in parts[:LISTED]]
    left = Counter(part.run.state for part in parts[LISTED:])
    return [*lines, *(f"and {number} more {state}: rota runs --flow {detail.id}" for state, number in left.items())]


def run_line(what: str, run: RunRow) -> str:
    """Return a run in a line below the one it belongs to, as `what`."""
    tenant = f" {run.tenant}" if run.tenant else ""
    why = run.error or run.reason
    line = f"  {what:<12}{run.state:<11}{run.job}{tenant}  {run.id}" + (f"  {why}" if why else "")
    return safe_text(redacted(line))


def _what(part: PartRow) -> str:
    return f"{part.role} {part.number}" if part.role in (Role.STEP, Role.MEMBER) else str(part.role)
