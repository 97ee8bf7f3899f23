"""One Django project for these tests, in one process of the suite: what is set up is set up once."""

from pathlib import Path

import django
import pytest
from django.conf import settings as django_settings

from tests.integrations.django import settings

HERE = Path(__file__).parent

# Before a module is collected that imports a model; the folder of its databases goes with the process.
django_settings.configure(**{name: value for name, value in vars(settings).items() if name.isupper()})
django.setup()


def pytest_collection_modifyitems(config, items):
    """Keep them together, where they are spread over processes."""
    for item in items if config.pluginmanager.hasplugin("xdist") else ():
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("django"))


@pytest.fixture(scope="session", autouse=True)
def project():
    """The project, with its tables in every database."""
    # Here: they need what is set up above.
    from django.core.management import call_command
    from django.db import connections

    from rota.integrations.django import rota
    from tests.integrations.django.agency.models import Item

    call_command("migrate", run_syncdb=True, verbosity=0)
    for alias in set(connections) - {"default"}:
        with connections[alias].schema_editor() as editor:
            editor.create_model(Item)
    yield
    rota.close()
    connections.close_all()


@pytest.fixture(autouse=True)
def _nothing_is_left_over(project):
    """Empty what a test has written: the store has the tables of others in its database."""
    yield
    from tests.integrations.django.agency import calls
    from tests.integrations.django.agency.models import Item

    calls.MADE.clear()
    calls.FAILING.clear()
    for alias in settings.DATABASES:
        Item.objects.using(alias).all().delete()
