"""Where a project's jobs are found: the `jobs` module of each app, and the list of commands in the settings."""

from typing import Any

from django.conf import settings as django_settings
from django.utils.module_loading import autodiscover_modules

from rota.errors import RotaError
from rota.integrations.django import configuration, rota
from rota.integrations.django.commands import Outcomes, take_in

JOBS, TASKS = "jobs", "tasks"
"""Modules of apps: the second only where Rota is a backend of Django's tasks."""

BACKEND = "rota.integrations.django."
"""How the paths of Rota's own backends begin."""

outcomes: Outcomes | None = None
"""What hears of the ends of the commands in the list."""

problem: RotaError | None = None
"""Why the jobs could not be taken in, when the apps were loaded."""


def discover() -> None:
    """Import the jobs of every app, and make jobs of the commands in `ROTA["cron"]`.

    Raises:
        RotaError: settings, a job or a schedule that cannot be used; what was found before it is taken in.
    """
    autodiscover_modules(JOBS)
    backends = own_backends()
    if backends:
        rota.serve(*(queue for one in backends.values() for queue in one.get("QUEUES", ())))
        autodiscover_modules(TASKS)
    global outcomes
    outcomes = take_in(rota, configuration.read().cron)


def own_backends() -> dict[str, Any]:
    """Return what TASKS says of the backends that are Rota's, by their aliases."""
    said = getattr(django_settings, "TASKS", {})
    return {alias: one for alias, one in said.items() if str(one.get("BACKEND", "")).startswith(BACKEND)}
