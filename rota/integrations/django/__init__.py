"""Rota in a Django project: `"rota.integrations.django"` in INSTALLED_APPS, and `rota` wherever jobs are written.

from rota.integrations.django import rota

@rota.job(schedule=every().day.at("02:00"))
def nightly_report() -> None: ...
"""

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
