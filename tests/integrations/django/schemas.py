"""A project with the schemas of django-tenants, on PostgreSQL: `python -m tests.integrations.django.schemas URL`.

A process of its own: it has other settings than that of the other tests. Prints as JSON what became of its runs.
"""

import json
import sys

import django
from django.conf import settings
from sqlalchemy import make_url

TENANTS = ("acme", "globex", "initech")
HERE = "tests.integrations.django"


def set_up(address: str) -> None:
    """Set Django up with the database at this URL."""
    url = make_url(address)
    shared = ["django_tenants", f"{HERE}.clients", "django.contrib.contenttypes", "rota.integrations.django"]
    settings.configure(
        DATABASES={
            "default": {
                "ENGINE": "django_tenants.postgresql_backend",
                "NAME": url.database,
                "USER": url.username,
                "PASSWORD": url.password,
                "HOST": url.host,
                "PORT": url.port,
            }
        },
        DATABASE_ROUTERS=["django_tenants.routers.TenantSyncRouter"],
        SHARED_APPS=shared,
        TENANT_APPS=[f"{HERE}.agency"],
        INSTALLED_APPS=[*shared, f"{HERE}.agency"],
        TENANT_MODEL="clients.Client",
        TENANT_DOMAIN_MODEL="clients.Domain",
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        ROTA={
            "store": {"migrate": "auto"},
            "tenants": {"source": "rota.integrations.django.tenants:schemas"},
            "worker": {"concurrency": 3},
        },
    )
    django.setup()


def main(address: str) -> None:
    """Make the tenants, run jobs for each, and say what stands where."""
    set_up(address)
    from django.db import connection
    from django_tenants.utils import schema_context

    from rota.integrations.django import rota
    from tests.integrations.django.agency.jobs import akeep, count_items, keep
    from tests.integrations.django.agency.models import Item
    from tests.integrations.django.clients.models import Client

    with connection.schema_editor() as editor:
        editor.create_model(Client)
    # One whose schema is gone is the trouble of that one only.
    for name in (*TENANTS, "broken"):
        Client.objects.create(schema_name=name, name=name)
    for name in TENANTS:
        with connection.cursor() as cursor:
            cursor.execute(f'CREATE SCHEMA "{name}"')
        with schema_context(name):
            with connection.schema_editor() as editor:
                editor.create_model(Item)
            Item.objects.create(name=f"marker of {name}")
    for name in TENANTS:
        keep.using(tenant=name).enqueue(f"kept for {name}")
        akeep.using(tenant=name).enqueue(f"awaited for {name}")
    rota.start_run(count_items.name)
    rota.tick()
    items = {}
    for name in TENANTS:
        with schema_context(name):
            items[name] = sorted(Item.objects.values_list("name", flat=True))
    states = {run.tenant: str(run.state) for run in rota.store.runs(RunQuery(jobs=("count_items",)))}
    print(json.dumps({"items": items, "states": states, "schema": connection.schema_name}))
    rota.close()


if __name__ == "__main__":
    from rota.queries import RunQuery

    main(sys.argv[1])
