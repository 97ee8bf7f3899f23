"""`manage.py cronmarksuccess`: take commands as succeeded until now."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rota.errors import RotaError
from rota.exits import exit_of
from rota.integrations.django import commands, configuration, rota

ACTOR = "manage.py:cronmarksuccess"


class Command(BaseCommand):
    """Marks the newest time of each as succeeded, so that nothing of the past runs."""

    help = "Take commands as succeeded until now: what they have missed, or failed at, does not run any more."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("jobs", nargs="?", default="all", help="Names, comma separated, or all.")

    def handle(self, *, jobs: str, **_: Any) -> None:
        """Mark each of the commands named, or none if a name is wrong."""
        try:
            chosen = commands.chosen(configuration.read().cron, jobs)
            commands.let_go(rota, chosen, reason="cronmarksuccess")
            for name in chosen:
                [marked] = rota.mark_success(name, actor=ACTOR)
                self.stdout.write(f"{name}: succeeded until {marked.last_success or 'now, and never was due'}")
        except RotaError as error:
            raise CommandError(str(error), returncode=exit_of(error)) from error
