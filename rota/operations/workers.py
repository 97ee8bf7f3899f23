"""What is asked about the processes that work."""

from rota.core.access import Capability
from rota.operations.operation import Desk, Nothing, Page, operation
from rota.views.workers import WorkerRow, worker_rows


@operation("GET", "/api/v1/workers", needs=Capability.READ, is_whole=True)
def list_workers(desk: Desk, _asked: Nothing) -> Page[WorkerRow]:
    """List the worker processes, what they run, and when each of their loops last came round.

    One that is `silent` was not heard of for as long as leases last. One that is `dead` ran on the host that answers,
    and its process is gone.
    """
    return Page(data=worker_rows(desk.app))
