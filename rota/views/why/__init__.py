"""The answer to "why is this not running?", for any job, schedule, slot, run, round or backfill (R11, R36)."""

from rota.views.why.asked import ask_backfill, ask_round, ask_run
from rota.views.why.facts import Facts
from rota.views.why.gate import in_front
from rota.views.why.job import ask_job, ask_schedule
from rota.views.why.reason import Code, Reason, Why

__all__ = [
    "Code", "Facts", "Reason", "Why", "ask_backfill", "ask_job", "ask_round", "ask_run", "ask_schedule", "in_front",
]  # fmt: skip
