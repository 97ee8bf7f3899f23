"""What is asked about what is paused."""

from rota.core.access import Capability
from rota.operations.operation import Desk, Nothing, Page, operation
from rota.views.pauses import PauseRow, paused


@operation("GET", "/api/v1/pauses", needs=Capability.READ)
def list_pauses(desk: Desk, _asked: Nothing) -> Page[PauseRow]:
    """List what is paused: jobs, queues and tenants, then schedules, each by name."""
    return Page(data=paused(desk.app))
