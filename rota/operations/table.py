"""All operations. What stands here is open to HTTP, to whom its line says; what does not is not."""

from typing import Any

from rota.operations.jobs import list_jobs, show_job
from rota.operations.operation import Operation
from rota.operations.runs import list_runs, show_run

OPERATIONS: tuple[Operation[Any, Any], ...] = (
    list_jobs,
    show_job,
    list_runs,
    show_run,
)
