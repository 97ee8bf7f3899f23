"""The HTTP door: operations as an API, triggers for schedulers outside, health and metrics."""

from rota.web.app import asgi_app, wsgi_app

__all__ = ["asgi_app", "wsgi_app"]
