"""The settings of the project. What differs from place to place comes from the environment: see webapp.env.example."""

import os
from pathlib import Path

BASE_DIR = Path(os.environ.get("CRASHSTATS_DIR", Path(__file__).resolve().parent.parent))
SECRET_KEY = os.environ.get("SECRET_KEY", "only for this example")
SENTRY_DSN = os.environ.get("SENTRY_DSN", "")
USE_TZ = True
# People read times of theirs; the times of the list below are UTC, whatever stands here.
TIME_ZONE = "Europe/Paris"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = ["rota.integrations.django", "crashes"]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": BASE_DIR / "crashstats.sqlite3",
        "OPTIONS": {"transaction_mode": "IMMEDIATE"},
    }
}

ROTA = {
    "worker": {"drain": "20s"},
    "cron": [
        # Each day is reported on, also those on which nothing ran: it is told which by --run-time.
        {"cmd": "dailyreport", "frequency": "1d", "time": "02:00", "backfill": True},
        # One run makes up for all that were missed: it looks at what came since --last-success.
        {"cmd": "newsignatures", "frequency": "1h", "last_success": True},
        {"cmd": "purgecrashes", "frequency": "1d", "time": "04:00", "cmd_args": ["--days=30"]},
    ],
}
