"""What is asked about how all of it stands."""

from rota.core.access import Capability
from rota.operations.operation import Desk, Nothing, operation
from rota.views.status import Verdict, status


@operation("GET", "/api/v1/status", needs=Capability.READ)
def show_status(desk: Desk, _asked: Nothing) -> Verdict:
    """Say in a few lines whether all is well."""
    return status(desk.app)
