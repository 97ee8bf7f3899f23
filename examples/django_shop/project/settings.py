"""The settings of the shop: on SQLite, or on the server that SHOP_DATABASE names by a URL."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

BASE_DIR = Path(os.environ.get("SHOP_DIR", Path(__file__).resolve().parent.parent))
SECRET_KEY = os.environ.get("SECRET_KEY", "only for this example")
DEBUG = True
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "testserver"]
ROOT_URLCONF = "project.urls"
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "rota.integrations.django",
    "shop",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    # After who asks is known.
    "rota.integrations.django.requests.RequestMiddleware",
]


def database(address: str) -> dict[str, object]:
    """Return what Django calls the database at a URL."""
    if not address:
        file, options = BASE_DIR / "shop.sqlite3", {"transaction_mode": "IMMEDIATE"}
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": file, "OPTIONS": options}
    url = urlsplit(address)
    kind = "postgresql" if url.scheme.startswith("postgres") else "mysql"
    if kind == "mysql":
        import pymysql

        pymysql.install_as_MySQLdb()
    return {
        "ENGINE": f"django.db.backends.{kind}",
        "NAME": url.path.strip("/"),
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "HOST": url.hostname,
        "PORT": url.port,
    }


DATABASES = {"default": database(os.environ.get("SHOP_DATABASE", ""))}

ROTA = {
    "worker": {"concurrency": 4, "processes": 2, "drain": "5s"},
    # A city has a database of its own, and is no alias of Django's: see shop/cities.py.
    "tenants": {"source": "shop.cities:cities"},
    # Who may use Rota's API under /ops/jobs/.
    "resolve_user": "shop.operators:of_request",
    "cron": [
        {"cmd": "clearsessions", "frequency": "1d", "time": "04:00"},
        {"cmd": "countorders", "frequency": "1h", "backfill": True, "last_success": True},
    ],
}
