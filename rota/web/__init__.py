"""The HTTP door: operations as an API, triggers for schedulers outside, health and metrics."""

from rota.core.access import Capability, Principal
from rota.web.app import asgi_app, wsgi_app
from rota.web.authority.host import Role, User

__all__ = ["Capability", "Principal", "Role", "User", "asgi_app", "wsgi_app"]
