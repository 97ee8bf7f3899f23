"""The tables of a store that is one of Django's databases: made and changed by `manage.py migrate`."""

from rota.integrations.django import configuration, rota
from rota.integrations.django.configuration import Configuration


def is_own(said: Configuration) -> bool:
    """Whether the store is the database that the settings name by its alias, and no other one by a URL."""
    return said.settings.origin("store.url") == "default"


def bring_up_to_date(*, using: str, **_: object) -> None:
    """After a migration of the store's database make or change Rota's tables there; what Django calls."""
    said = configuration.read()
    if using != said.database or not is_own(said):
        return
    store = rota.open_store()
    try:
        store.setup()
    finally:
        store.close()
