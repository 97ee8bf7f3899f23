"""What is asked when something is wrong, and nobody knows what."""

from rota.core.access import Capability
from rota.operations.operation import Desk, Nothing, Page, operation
from rota.views.doctor import Check, examine


@operation("GET", "/api/v1/doctor", needs=Capability.ADMIN, is_whole=True)
def run_doctor(desk: Desk, _asked: Nothing) -> Page[Check]:
    """Check app, settings, store, clock and workers, as they are for the process that answers."""
    return Page(data=examine(desk.app))
