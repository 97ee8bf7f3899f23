"""The one Rota object of a Django project.

Importing this reads the settings of the project. That is how `rota --app`, the children of a worker and everybody who
uses `rota.integrations.django.rota` come to the same object.
"""

from contextlib import nullcontext
from functools import partial

import django
from django.apps import apps

from rota.app import Rota
from rota.integrations.django import configuration, discovery, requests, tenants
from rota.integrations.django.configuration import Configuration
from rota.integrations.django.databases import in_thread_of_orm, open_transaction, store_url, tidy


def made(said: Configuration) -> Rota:
    """Return a Rota object for this process that knows no jobs yet."""
    rota = Rota(partial(store_url, said.database))
    rota.configure(said.settings)
    rota.join(lambda: open_transaction(rota), within=in_thread_of_orm)

    # Inline the caller's own connections are used, with the transaction that it has open.
    rota.around(lambda _: nullcontext() if rota.is_inline else tidy())
    rota.around(tenants.bound)
    requests.carry(rota, said)
    return rota


rota: Rota = made(configuration.read())
"""The Rota object of this project; as `rota.integrations.django.rota` wherever jobs are written."""

# A process that Django did not start: a child of a worker, or `rota` itself. Within `django.setup` the apps are on
# their way, and `ready` of ours looks for the jobs when all of them are there.
if not apps.ready and not apps.loading:
    django.setup()
    # Nobody has run the system checks here.
    if discovery.problem is not None:
        raise discovery.problem
