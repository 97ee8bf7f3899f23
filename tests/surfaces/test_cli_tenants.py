"""`rota tenants`: the list without passwords, and which databases answer."""

import sqlite3
from datetime import timedelta

import pytest

from rota.app import Rota
from rota.core.controls import Circuit
from rota.core.model import Tenant
from rota.engine.circuits import every_circuit, write
from rota.queries import AuditQuery
from rota.stores.memory import MemoryStore
from rota.views.tenants import by_host
from tests.clocks import FakeClock
from tests.surfaces.conftest import data, run
from tests.values import NOON


@pytest.fixture
def shop(tmp_path):
    """An application with one database that is there, one that is not, and a tenant without any."""
    sqlite3.connect(tmp_path / "acme.db").close()
    urls = {"acme": f"sqlite:///{tmp_path}/acme.db", "globex": f"sqlite:///{tmp_path}/globex.db", "initech": None}
    return Rota(MemoryStore(), tenants=[Tenant(id=name, url=url) for name, url in urls.items()])


def test_databases_that_do_not_answer_are_named_and_end_with_6(shop, tmp_path):  # R63
    result = run(shop, "tenants", "test", "--json", directory=tmp_path)

    assert result.exit_code == 6, result.output
    assert {row["id"]: row["state"] for row in data(result)} == {"acme": "ok", "globex": "failed", "initech": "none"}
    assert not (tmp_path / "globex.db").exists()


@pytest.mark.parametrize(("tenant", "code"), [("acme", 0), ("globex", 1), ("nobody", 3)])
def test_one_tenant_can_be_tried(shop, tmp_path, tenant, code):  # R63
    assert run(shop, "tenants", "test", tenant, directory=tmp_path).exit_code == code


def test_the_list_of_tenants_shows_no_password(tmp_path):  # R65
    shop = Rota(MemoryStore(), tenants=[Tenant(id="acme", url="postgresql://ops:hunter2@db/acme")])

    result = run(shop, "tenants", directory=tmp_path)

    assert "postgresql://ops:***@db/acme" in result.stdout


@pytest.fixture
def outage():
    """An application of which three tenants on one host are parked, and one tenant is paused."""
    urls = {name: f"postgresql://ops:hunter2@db-3/{name}" for name in ("acme", "globex", "hooli")}
    app = Rota(
        MemoryStore(clock=FakeClock()),
        tenants=[*(Tenant(id=name, url=url) for name, url in urls.items()), Tenant(id="initech", tz="Asia/Tokyo")],
        clock=FakeClock(),
    )

    @app.job(schedule="0 * * * *", per_tenant=True)
    def mail() -> None: ...

    app.schedules.sync()
    for name in urls:
        circuit = Circuit(
            failures=3, reason="TenantUnavailable: refused", parked_at=NOON, probe_at=NOON + timedelta(minutes=1)
        )
        assert write(app.store, name, circuit, None, now=NOON)
    app.pauses.pause("tenant", "initech", reason="moves", actor="ana")
    return app


def test_the_list_says_who_is_parked_or_paused_and_on_which_host(outage, tmp_path):  # R25, R12
    result = run(outage, "tenants", directory=tmp_path)

    assert "4 tenants; 3 of 4 unreachable, all on db-3" in result.stderr
    shown = {line.split()[1]: line for line in result.stdout.splitlines()[1:]}
    assert shown["acme"].startswith("parked") and "12:01:00" in shown["acme"] and "refused" in shown["acme"]
    assert shown["initech"].startswith("paused") and "paused by ana: moves" in shown["initech"]
    assert "hunter2" not in result.output


def test_resume_has_a_parked_tenant_tried_at_once(outage, tmp_path):  # R25
    result = run(outage, "tenants", "resume", "acme", directory=tmp_path)

    assert result.exit_code == 0, result.output
    assert every_circuit(outage.store)["acme"].probe_at == NOON
    assert next(entry.action for entry in outage.store.audit(AuditQuery())) == "tenant.try"


def test_resume_ends_a_pause_and_refuses_where_there_is_none(outage, tmp_path):  # R12
    assert run(outage, "tenants", "resume", "initech", directory=tmp_path).exit_code == 0
    assert run(outage, "tenants", "resume", "initech", directory=tmp_path).exit_code == 5
    assert run(outage, "tenants", "pause", "initech", "--reason", "again", directory=tmp_path).exit_code == 0
    assert run(outage, "tenants", "pause", "nobody", "--reason", "x", directory=tmp_path).exit_code == 3


def test_set_shows_what_is_set_then(outage, tmp_path):  # R24
    result = run(
        outage, "tenants", "set", "initech", "--weight", "2", "--schedule", "mail=every monday at 06:00", "--json",
        directory=tmp_path,
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    assert (data(result)["weight"], data(result)["schedules"]) == (2.0, {"mail": "mail@initech"})
    assert "Asia/Tokyo" in outage.schedules.get("mail@initech").timing
    shown = run(outage, "tenants", "show", "initech", directory=tmp_path).stdout
    assert "mail@initech in place of mail" in shown
    back = run(outage, "tenants", "set", "initech", "--general", "mail", "--weight", "0", directory=tmp_path)
    assert back.exit_code == 0 and "in place of" not in back.stdout


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["initech"], 2),
        (["initech", "--schedule", "mail"], 2),
        (["initech", "--schedule", "mail=daily at 01:00", "--general", "mail"], 2),
        (["initech", "--zone", "Mars/Base"], 2),
        (["nobody", "--zone", "Europe/Paris"], 3),
        (["initech", "--schedule", "gone=daily at 01:00"], 3),
    ],
)
def test_what_cannot_be_set_is_said_and_nothing_changes(outage, tmp_path, words, code):  # R24
    result = run(outage, "tenants", "set", *words, directory=tmp_path)

    assert result.exit_code == code, result.output
    assert outage.tenant_settings.list() == {}


@pytest.mark.parametrize(
    ("hosts", "said"),
    [
        ([], ""),
        (["db-3"], "1 of 214 unreachable, on db-3"),
        (["db-3"] * 12, "12 of 214 unreachable, all on db-3"),
        (["db-3"] * 11 + ["db-4"], "12 of 214 unreachable: 11 on db-3, 1 on db-4"),
        ([None, None], "2 of 214 unreachable"),
        (["db-3", None], "2 of 214 unreachable: 1 on db-3"),
    ],
)
def test_failures_are_grouped_by_host(hosts, said):  # R25
    assert by_host(hosts, total=214) == said
