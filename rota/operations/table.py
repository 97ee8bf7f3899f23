"""All operations. What stands here is open to HTTP, to whom its line says; what does not is not."""

from typing import Any

from rota.operations.enqueueing import enqueue_run, enqueue_runs
from rota.operations.finding import find_by_id
from rota.operations.flows import show_flow
from rota.operations.following import follow_rounds
from rota.operations.jobs import list_jobs, show_job
from rota.operations.logs import read_log
from rota.operations.operation import Operation
from rota.operations.rounds import list_rounds, show_round
from rota.operations.run_changes import cancel_run, cancel_runs, retry_run, retry_runs
from rota.operations.runs import list_runs, show_run
from rota.operations.starting import preview_start, start_job
from rota.operations.triggers import run_pass, trigger_job

OPERATIONS: tuple[Operation[Any, Any], ...] = (
    find_by_id,
    show_flow,
    list_jobs,
    show_job,
    read_log,
    list_rounds,
    show_round,
    list_runs,
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
)
