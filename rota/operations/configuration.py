"""What is asked about the settings."""

from rota.core.access import Capability
from rota.operations.operation import Desk, Nothing, Page, operation
from rota.views.configuration import Setting, configuration


@operation("GET", "/api/v1/config", needs=Capability.ADMIN, is_whole=True)
def show_settings(desk: Desk, _asked: Nothing) -> Page[Setting]:
    """Show all settings of the process that answers, and where each was set. Passwords are masked."""
    return Page(data=configuration(desk.app.settings))
