"""Scheduled and background jobs for applications with many databases."""

from rota.app import Rota
from rota.context import BoundTenant, RunContext, StopSignal, Window
from rota.core.builder import at, cron, every, next_slots
from rota.core.campaign import Mode
from rota.core.flow import BatchSummary
from rota.core.masking import Secret
from rota.core.model import Progress, Round, Run, Schedule, State, Tenant
from rota.core.policy import CatchUp, Job, Overlap, Retry
from rota.core.returns import Cancel, Fail, Result, Snooze
from rota.errors import RetryLater
from rota.flow_handle import FlowHandle
from rota.handle import RunHandle
from rota.inline import Inline
from rota.job import JobFunction, Registry, Step
from rota.job_context import JobContext
from rota.redaction import keep_secret
from rota.version import __version__

__all__ = [
    "BatchSummary",
    "BoundTenant",
    "Cancel",
    "CatchUp",
    "Fail",
    "FlowHandle",
    "Inline",
    "Job",
    "JobContext",
    "JobFunction",
    "Mode",
    "Overlap",
    "Progress",
    "Registry",
    "Result",
    "Retry",
    "RetryLater",
    "Rota",
    "Round",
    "Run",
    "RunContext",
    "RunHandle",
    "Schedule",
    "Secret",
    "Snooze",
    "State",
    "Step",
    "StopSignal",
    "Tenant",
    "Window",
    "__version__",
    "at",
    "cron",
    "every",
    "keep_secret",
    "next_slots",
]
