"""The cities that the shop delivers to: each has its stock in a SQLite file of its own."""

from django.conf import settings

from rota.tenants import SQLiteDirectory

cities = SQLiteDirectory(settings.BASE_DIR / "cities", allow_empty=True)
