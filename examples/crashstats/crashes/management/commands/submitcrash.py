"""`manage.py submitcrash`: send a crash, as a program that has ended would."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from crashes.models import Crash


class Command(BaseCommand):
    """Keeps a crash of now."""

    help = "Send a crash. Without a signature it is one that nobody could read."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("signature", nargs="?", default="")

    def handle(self, *, signature: str, **_: Any) -> None:
        """Keep it."""
        Crash.objects.create(signature=signature, crashed_at=timezone.now())
