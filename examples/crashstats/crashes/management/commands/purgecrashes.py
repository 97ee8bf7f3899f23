"""`manage.py purgecrashes`: forget old crashes."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from crashes.models import Crash


class Command(BaseCommand):
    """Deletes crashes of which the reports have been written long since."""

    help = "Delete crashes that are older than so many days."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=int, required=True)

    def handle(self, *, days: int, **_: Any) -> None:
        """Delete them."""
        deleted, _ = Crash.objects.filter(crashed_at__lt=timezone.now() - timedelta(days=days)).delete()
        self.stdout.write(f"{deleted} deleted")
