"""Rota in a Django project: `"rota.integrations.django"` in INSTALLED_APPS, and `rota` wherever jobs are written.

from rota.integrations.django import rota

@rota.job(schedule=every().day.at("02:00"))
def nightly_report() -> None: ...
"""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from django.utils.functional import SimpleLazyObject

if TYPE_CHECKING:
    from rota.app import Rota


def _of_this_project() -> "Rota":
    # Its settings are read there, and this package is imported while they are made.
    from rota.integrations.django.project import rota

    return rota


rota: "Rota" = SimpleLazyObject(_of_this_project)  # type: ignore[assignment]  # it is one once it is used
"""The Rota object of this project, made of its settings when it is first used."""

if find_spec("django.tasks") is not None or find_spec("django_tasks") is not None:
    # Named in TASKS by this package. Below: they ask for the object above.
    from rota.integrations.django.tasks import RotaTask, TasksBackend, task

    __all__ = ["RotaTask", "TasksBackend", "rota", "task"]
else:
    __all__ = ["rota"]
