"""What child processes enqueue, as the worker takes it in. (R32)"""

import pytest

from rota.core.model import Tenant
from rota.core.unique import UniqueRun
from rota.errors import TenantNotFound
from rota.executors.frames import Asked
from rota.queries import RunQuery
from rota.relayed import Intake
from tests.engine.house import an_app
from tests.values import a_run, found

TENANTS = [Tenant(id="acme", weight=3, url="mysql+pymysql://ops:pw@DB1/acme"), Tenant(id="globex")]


@pytest.fixture
def app():
    return an_app(tenants=TENANTS)


def test_a_run_is_given_its_tenants_weight_and_host(app):  # R35
    run, other, nobodys = a_run(tenant="acme"), a_run(tenant="globex"), a_run()

    accepted = Intake(app.premises()).enqueue(Asked(number=1, runs=[run, other, nobodys]))

    assert accepted == [run.id, other.id, nobodys.id]
    placed = [found(app.store, run_id) for run_id in accepted]
    assert [(one.weight, one.host) for one in placed] == [(3.0, "db1"), (1.0, None), (1.0, None)]


def test_a_run_with_a_key_is_too(app):  # R35
    run = a_run(tenant="acme")

    Intake(app.premises()).enqueue(Asked(number=1, unique=[UniqueRun(run=run, name="daily")]))

    assert (found(app.store, run.id).weight, found(app.store, run.id).host) == (3.0, "db1")


def test_one_unknown_tenant_and_none_of_them_is_queued(app):  # R64
    with pytest.raises(TenantNotFound, match="hooli"):
        Intake(app.premises()).enqueue(Asked(number=1, runs=[a_run(tenant="acme"), a_run(tenant="hooli")]))

    assert app.store.runs(RunQuery()) == []
