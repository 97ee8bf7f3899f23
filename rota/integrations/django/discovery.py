"""Where a project's jobs are found: the `jobs` module of each app, and the list of commands in the settings."""

from django.utils.module_loading import autodiscover_modules

from rota.errors import RotaError
from rota.integrations.django import configuration, rota
from rota.integrations.django.commands import Outcomes, take_in

MODULES = ("jobs",)

outcomes: Outcomes | None = None
"""What hears of the ends of the commands in the list."""

problem: RotaError | None = None
"""Why the jobs could not be taken in, when the apps were loaded."""


def discover() -> None:
    """Import the jobs of every app, and make jobs of the commands in `ROTA["cron"]`.

    Raises:
        RotaError: settings, a job or a schedule that cannot be used; what was found before it is taken in.
    """
    autodiscover_modules(*MODULES)
    global outcomes
    outcomes = take_in(rota, configuration.read().cron)
