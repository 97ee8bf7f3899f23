"""A command that is made up once."""

from django.core.management.base import BaseCommand

from tests.integrations.django.agency import calls


class Command(BaseCommand):
    """Notes its arguments."""

    def add_arguments(self, parser):
        parser.add_argument("--days", type=int)
        parser.add_argument("--last-success")

    def handle(self, *, days, last_success, **_):
        """Note it."""
        calls.MADE.append({"cmd": "latest", "days": days, "last_success": last_success})
