"""All operations. What stands here is open to HTTP, to whom its line says; what does not is not."""

from typing import Any

from rota.operations.enqueueing import enqueue_run, enqueue_runs
from rota.operations.errors import list_errors, show_error
from rota.operations.failures import count_failures
from rota.operations.finding import find_by_id
from rota.operations.flows import show_flow
from rota.operations.following import follow_rounds
from rota.operations.freshness import judge_freshness
from rota.operations.jobs import list_jobs, show_job
from rota.operations.logs import read_log
from rota.operations.operation import Operation
from rota.operations.rounds import list_rounds, show_round
from rota.operations.run_changes import cancel_run, cancel_runs, retry_run, retry_runs
from rota.operations.runs import list_runs, runs_standing, show_run
from rota.operations.slots import list_slots
from rota.operations.starting import preview_start, start_job
from rota.operations.stats import show_stats
from rota.operations.status import show_status
from rota.operations.triggers import run_pass, trigger_job
from rota.operations.upcoming import list_fires

OPERATIONS: tuple[Operation[Any, Any], ...] = (
    list_errors,
    show_error,
    count_failures,
    find_by_id,
    show_flow,
    judge_freshness,
    list_jobs,
    show_job,
    read_log,
    list_rounds,
    show_round,
    list_runs,
    runs_standing,
    show_run,
    retry_runs,
    retry_run,
    cancel_runs,
    cancel_run,
    start_job,
    preview_start,
    follow_rounds,
    enqueue_run,
    enqueue_runs,
    run_pass,
    trigger_job,
    list_slots,
    show_stats,
    show_status,
    list_fires,
)
