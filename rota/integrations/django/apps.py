"""The app: finds the jobs of all others once they are there."""

import logging

from django.apps import AppConfig
from django.core import checks as django_checks
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate

from rota.errors import RotaError
from rota.integrations.django import checks, discovery, tables, tenants

log: logging.Logger = logging.getLogger(__name__)


class RotaConfig(AppConfig):
    """`"rota.integrations.django"` in INSTALLED_APPS."""

    name = "rota.integrations.django"
    label = "rota"
    verbose_name = "Rota"

    def ready(self) -> None:
        """Take in the jobs of every app. What is wrong with them is told by the system checks, and again by the first
        that uses them: a process that only answers requests may do without."""
        checks.register(django_checks.register)
        connection_created.connect(tenants.set_schema)
        post_migrate.connect(tables.bring_up_to_date, sender=self)
        try:
            discovery.discover()
        except RotaError as error:
            discovery.problem = error
            log.error("jobs cannot be used: %s", error)
