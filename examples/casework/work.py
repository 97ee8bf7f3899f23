"""The application's Rota: who its tenants are. The jobs of the other modules are registered with it."""

from flask import g

from examples.casework.agencies import agencies
from rota.integrations.flask import FlaskRota

rota = FlaskRota(tenants=lambda: agencies(rota.application.config["AGENCIES"]))


@rota.carried("user_id")
def admin() -> int | None:
    """Say who asks: the runs of a request know the admin, `JobContext.current().user_id`."""
    admin = g.get("admin")
    return admin and admin.id
