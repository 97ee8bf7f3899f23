"""Agencies with tenants whose databases hold their own names."""

from contextlib import ExitStack

import pytest

from tests.integrations.flask.agency import an_agency


@pytest.fixture
def agency(tmp_path):
    """A function that makes an agency with SQLite tenants of these names, closed at the end of the test."""
    with ExitStack() as held:

        def make(*names, **config):
            for name in names:
                (tmp_path / f"{name}.db").touch()
            urls = {name: f"sqlite:///{tmp_path}/{name}.db" for name in names}
            made = an_agency(tenants=urls, **config)
            held.callback(close, made)
            return made

        yield make


def close(agency):
    agency.jobs.close()
    agency.jobs._tenancy.let_go()
    with agency.app.app_context():
        for engine in agency.db.engines.values():
            engine.dispose()
