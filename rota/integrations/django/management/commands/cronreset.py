"""`manage.py cronreset`: forget how far commands have come."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rota.errors import RotaError
from rota.exits import exit_of
from rota.integrations.django import commands, configuration, rota

ACTOR = "manage.py:cronreset"


class Command(BaseCommand):
    """Forgets progress and failures; what is due then runs as if it were the first time."""

    help = "Forget how far commands have come, and what of them waits to be tried again. History stays."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("jobs", nargs="?", default="all", help="Names, comma separated, or all.")

    def handle(self, *, jobs: str, **_: Any) -> None:
        """Reset each of the commands named, or none if a name is wrong."""
        try:
            chosen = commands.chosen(configuration.read().cron, jobs)
            waiting = commands.let_go(rota, chosen, reason="cronreset")
            for name in chosen:
                rota.reset(name, actor=ACTOR)
        except RotaError as error:
            raise CommandError(str(error), returncode=exit_of(error)) from error
        self.stdout.write(f"{len(chosen)} reset, {waiting} waiting runs cancelled")
