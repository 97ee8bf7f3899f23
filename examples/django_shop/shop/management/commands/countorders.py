"""`manage.py countorders`: say how many orders came in an hour."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from shop.models import Order


class Command(BaseCommand):
    """Counts the orders since it last succeeded."""

    help = "Say how many orders came in, since the last time."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--run-time", help="Until when, as ISO text.")
        parser.add_argument("--last-success", help="Since when, as ISO text.")

    def handle(self, *, run_time: str | None, last_success: str | None, **_: Any) -> None:
        """Print the number."""
        orders = Order.objects.all()
        if run_time:
            orders = orders.filter(placed_at__lte=run_time)
        if last_success:
            orders = orders.filter(placed_at__gt=last_success)
        self.stdout.write(f"{orders.count()} orders since {last_success or 'ever'}")
