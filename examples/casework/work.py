"""The application's Rota: who its tenants are. The jobs of the other modules are registered with it."""

from collections.abc import Sequence

from flask import g

from examples.casework.agencies import agencies
from rota import Tenant
from rota.integrations.flask import FlaskRota


def listed() -> Sequence[Tenant]:
    """Return the agencies that there are at this moment."""
    config = rota.application.config
    return agencies(config["AGENCIES"], config["AGENCY_NAMES"])


rota = FlaskRota(tenants=listed)


@rota.carried("user_id")
def admin() -> int | None:
    """Say who asks: the runs of a request know the admin, `JobContext.current().user_id`."""
    admin = g.get("admin")
    return admin and admin.id
