"""All operations. What stands here is open to HTTP, to whom its line says; what does not is not."""

from typing import Any

from rota.operations.finding import find_by_id
from rota.operations.flows import show_flow
from rota.operations.jobs import list_jobs, show_job
from rota.operations.logs import read_log
from rota.operations.operation import Operation
from rota.operations.rounds import list_rounds, show_round
from rota.operations.runs import list_runs, show_run

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
)
