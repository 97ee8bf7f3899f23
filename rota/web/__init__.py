"""The HTTP door: operations as an API, triggers for schedulers outside, health and metrics."""

from rota.core.access import Capability, Principal
from rota.errors import MissingExtra

try:
    from rota.web.app import asgi_app, wsgi_app
except ModuleNotFoundError as error:
    raise MissingExtra("web", needed_for="the HTTP door") from error
from rota.web.authority.host import Role, User
from rota.web.believed import believed_by

__all__ = ["Capability", "Principal", "Role", "User", "asgi_app", "believed_by", "wsgi_app"]
