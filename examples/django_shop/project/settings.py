"""The settings of the shop: SQLite, unless DATABASE names another engine."""

import os
from pathlib import Path

BASE_DIR = Path(os.environ.get("SHOP_DIR", Path(__file__).resolve().parent.parent))
SECRET_KEY = os.environ.get("SECRET_KEY", "only for this example")
DEBUG = True
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
ROOT_URLCONF = "project.urls"
USE_TZ = True

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
    "rota.integrations.django.requests.RequestMiddleware",
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": BASE_DIR / "shop.sqlite3",
        "OPTIONS": {"transaction_mode": "IMMEDIATE"},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

ROTA = {
    "worker": {"concurrency": 4},
    "cron": [
        {"cmd": "clearsessions", "frequency": "1d", "time": "04:00"},
        {"cmd": "countorders", "frequency": "1h", "backfill": True, "last_success": True},
    ],
}
