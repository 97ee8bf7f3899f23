"""The app. Whatever process it is loaded in reports to Sentry."""

from django.apps import AppConfig
from django.conf import settings

from rota.integrations.django import rota
from rota.integrations.sentry import report_to_sentry


class CrashesConfig(AppConfig):
    """Crashes, and what is made of them."""

    name = "crashes"

    def ready(self) -> None:
        """Let each command that fails be an event in Sentry, where there is one."""
        if settings.SENTRY_DSN:
            report_to_sentry(rota, dsn=settings.SENTRY_DSN)
