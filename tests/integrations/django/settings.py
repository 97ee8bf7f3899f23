"""The project that the tests of the integration work in: its databases are files of their own for each process."""

import atexit
import shutil
import tempfile
from pathlib import Path

FOLDER = Path(tempfile.mkdtemp(prefix="rota-django-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
BASE_DIR = FOLDER
SECRET_KEY = "of tests"
USE_TZ = True
TIME_ZONE = "UTC"
# pytest has its own.
LOGGING_CONFIG = None
ROOT_URLCONF = "tests.integrations.django.urls"
ALLOWED_HOSTS = ["testserver"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "rota.integrations.django",
    "tests.integrations.django.agency",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "rota.integrations.django.requests.RequestMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]


def _database(name: str) -> dict[str, object]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": FOLDER / f"{name}.sqlite3",
        "OPTIONS": {"transaction_mode": "IMMEDIATE"},
    }


DATABASES = {name: _database(name) for name in ("default", "other", "agency_a", "agency_b")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

ROTA = {
    "worker": {"concurrency": 2},
    "context": "tests.integrations.django.agency.requests:context_of_agency",
    "context_attributes": ["agency"],
    "cron": [
        {"cmd": "note", "frequency": "1d", "time": "04:00", "backfill": True, "last_success": True},
        {"cmd": "hourly", "frequency": "1h"},
        {"cmd": "latest", "frequency": "1d", "time": "04:00", "cmd_args": ["--days=7"], "last_success": True},
    ],
}

TASKS = {"default": {"BACKEND": "rota.integrations.django.TasksBackend", "QUEUES": ["default", "mail", "letters"]}}
