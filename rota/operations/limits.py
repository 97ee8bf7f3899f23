"""What is asked about limits."""

from rota.core.access import Capability
from rota.operations.operation import Desk, Nothing, Page, operation
from rota.views.limits import LimitRow, limit_rows


@operation("GET", "/api/v1/limits", needs=Capability.READ)
def list_limits(desk: Desk, _asked: Nothing) -> Page[LimitRow]:
    """List the limits, what runs and has begun under each, and how many runs wait for it."""
    return Page(data=limit_rows(desk.app))
