"""`manage.py dailyreport`: count the crashes of a day."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from crashes.models import Crash, DailyReport


class Command(BaseCommand):
    """Writes the report of the day before its time. Doing it again writes the same."""

    help = "Count the crashes of the day before."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--run-time", required=True, type=datetime.fromisoformat, help="As ISO text.")

    def handle(self, *, run_time: datetime, **_: Any) -> None:
        """Write the report, unless there are crashes that nobody could read."""
        day = run_time.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
        crashes = Crash.objects.filter(crashed_at__gte=day, crashed_at__lt=day + timedelta(days=1))
        if unread := crashes.filter(signature="").count():
            raise CommandError(f"{unread} crashes of {day:%Y-%m-%d} have no signature")
        DailyReport.objects.update_or_create(day=day.date(), defaults={"crashes": crashes.count()})
        self.stdout.write(f"{day:%Y-%m-%d}: {crashes.count()} crashes")
