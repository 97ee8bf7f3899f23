"""A command that notes what it was told."""

from django.core.management.base import BaseCommand, CommandError

from tests.integrations.django.agency import calls


class Command(BaseCommand):
    """Notes, or fails where a test says so."""

    def add_arguments(self, parser):
        parser.add_argument("--run-time")
        parser.add_argument("--last-success")
        parser.add_argument("--word", default="")

    def handle(self, *, run_time, last_success, word, **_):
        """Note it."""
        if run_time in calls.FAILING or word in calls.FAILING:
            raise CommandError(f"cannot note {run_time}")
        calls.MADE.append({"run_time": run_time, "last_success": last_success, "word": word})
        self.stdout.write(f"noted {run_time}\nwithout an end", ending="")
