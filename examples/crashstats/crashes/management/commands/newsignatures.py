"""`manage.py newsignatures`: find the kinds of crashes that nobody has seen before."""

from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from crashes.models import Crash, Signature


class Command(BaseCommand):
    """Looks at what came since it last succeeded; the first time at everything."""

    help = "Find new signatures."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--last-success", type=datetime.fromisoformat, help="Since when, as ISO text.")

    def handle(self, *, last_success: datetime | None, **_: Any) -> None:
        """Keep each signature with the time of its first crash."""
        crashes = Crash.objects.exclude(signature="").order_by("crashed_at")
        if last_success is not None:
            crashes = crashes.filter(crashed_at__gt=last_success)
        for crash in crashes:
            _, is_new = Signature.objects.get_or_create(text=crash.signature, defaults={"first_seen": crash.crashed_at})
            if is_new:
                self.stdout.write(f"new: {crash.signature}")
        self.stdout.write(f"{crashes.count()} crashes looked at, since {last_success or 'ever'}")
