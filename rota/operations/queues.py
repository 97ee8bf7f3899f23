"""What is asked about queues."""

from rota.core.access import Capability
from rota.errors import QueueNotFound
from rota.operations.operation import Desk, Nothing, Page, Question, operation
from rota.views.queues import QueueDetail, QueueRow, queue_detail, queue_rows


@operation("GET", "/api/v1/queues", needs=Capability.READ)
def list_queues(desk: Desk, _asked: Nothing) -> Page[QueueRow]:
    """List the queues that have runs, workers, jobs or a pause.

    `unserved`: runs wait there, and no worker that lives takes them.
    """
    return Page(data=queue_rows(desk.app))


class QueueAsked(Question, frozen=True, kw_only=True):
    """Which queue."""

    name: str


@operation("GET", "/api/v1/queues/{name}", needs=Capability.READ)
def show_queue(desk: Desk, asked: QueueAsked) -> QueueDetail:
    """Show one queue: who fills it, and who works it."""
    detail = queue_detail(desk.app, asked.name)
    if detail is None:
        raise QueueNotFound(asked.name, known=[row.name for row in queue_rows(desk.app)])
    return detail
