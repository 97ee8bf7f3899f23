"""A command that only counts."""

import sys

from django.core.management.base import BaseCommand

from tests.integrations.django.agency import calls


class Command(BaseCommand):
    """Counts, and ends as a program does."""

    def handle(self, **_):
        """Count."""
        calls.MADE.append({"cmd": "hourly"})
        sys.exit(0)
