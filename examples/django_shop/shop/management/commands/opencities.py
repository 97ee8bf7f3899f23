"""`manage.py opencities`: open three cities, so that there is something to visit."""

import sqlite3
from contextlib import closing
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    """Makes a database for each city, with what is in stock there."""

    help = "Open three cities."

    def handle(self, **_: Any) -> None:
        """Make them; those that are there stay."""
        folder = settings.BASE_DIR / "cities"
        folder.mkdir(exist_ok=True)
        for name in ("lyon", "porto", "turin"):
            with closing(sqlite3.connect(folder / f"{name}.db")) as city, city:
                city.execute("CREATE TABLE IF NOT EXISTS stock (item TEXT)")
                city.executemany("INSERT INTO stock VALUES (?)", [("tea",), ("coffee",)])
