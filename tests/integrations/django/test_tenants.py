"""Tenants of a Django project: each run's models are those of its tenant, whatever its source."""

import sqlite3

import pytest
from django.db import connections
from django.test import override_settings

from rota import State, Tenant, testing
from rota.errors import ConfigurationError, TenantListFailed
from rota.integrations.django import rota
from rota.integrations.django.tenants import DatabaseAliases, _alias_of
from rota.tenants.sources import as_source
from tests.integrations.django.agency.jobs import count_items, keep
from tests.integrations.django.agency.models import Item

ROUTER = "rota.integrations.django.tenants.TenantRouter"
AGENCIES = ("agency_a", "agency_b")


@pytest.fixture
def jobs(monkeypatch):
    """The project with a tenant for each agency's database, and a router that leads there."""
    monkeypatch.setattr(rota._tenancy, "_source", DatabaseAliases(match=r"agency_\w"))
    with override_settings(DATABASE_ROUTERS=[ROUTER]), testing.capture(rota) as jobs:
        yield jobs


def names(alias):
    return sorted(Item.objects.using(alias).values_list("name", flat=True))


def test_each_run_writes_into_the_database_of_its_tenant(jobs):  # R21, R22
    for alias in AGENCIES:
        keep.using(tenant=alias).enqueue(f"of {alias}")
    keep.enqueue("of nobody")

    jobs.drain()

    assert [names(alias) for alias in ("default", *AGENCIES)] == [["of nobody"], ["of agency_a"], ["of agency_b"]]


def test_a_round_visits_every_database(jobs):  # R20
    Item.objects.using("agency_b").create(name="marker")
    rota.start_run("count_items")

    jobs.drain()

    assert {run.tenant: run.result for run in jobs.runs(count_items)} == {"agency_a": "0", "agency_b": "1"}


def test_coroutines_of_two_tenants_do_not_meet(jobs):  # R21
    for alias in AGENCIES:
        rota.jobs["akeep"].using(tenant=alias).enqueue(f"of {alias}")

    jobs.drain()

    assert [names(alias) for alias in AGENCIES] == [["of agency_a"], ["of agency_b"]]


def test_a_tenant_of_another_source_has_its_database_too(jobs, monkeypatch, tmp_path):  # R20
    file = tmp_path / "acme.sqlite3"
    sqlite3.connect(file).execute("CREATE TABLE agency_item (id INTEGER PRIMARY KEY, name TEXT)").connection.close()
    monkeypatch.setattr(rota._tenancy, "_source", as_source([Tenant(id="acme", url=f"sqlite:///{file}")]))
    rota._tenancy.directory.forget()

    keep.using(tenant="acme").enqueue("of acme")
    [run] = jobs.drain()

    assert run.state is State.SUCCEEDED
    assert names("rota:acme") == ["of acme"]
    connections["rota:acme"].close()


def test_what_the_project_keeps_for_its_own_database_is_not_kept_for_each_tenant(jobs, monkeypatch):  # R21
    kept = {"CONN_MAX_AGE": 600, "ATOMIC_REQUESTS": True, "OPTIONS": {"pool": True}}
    monkeypatch.setitem(connections.settings, "default", {**connections.settings["default"], **kept})

    alias = _alias_of(Tenant(id="acme", url="sqlite:///acme.db"))

    made = connections.settings[alias]
    assert [made[name] for name in kept] == [0, False, {}]


def test_a_tenant_without_a_database_never_gets_the_default_one(jobs, monkeypatch):  # R22
    monkeypatch.setattr(rota._tenancy, "_source", as_source(["acme"]))
    rota._tenancy.directory.forget()

    keep.using(tenant="acme").enqueue("of acme")
    jobs.drain()

    [run] = jobs.runs(keep)
    assert rota.store.run(run.id).attempts[-1].error.type == "NoTenant"
    assert names("default") == []


def test_an_alias_that_is_not_in_databases_is_named():
    with pytest.raises(ConfigurationError, match="agency_c not in DATABASES, which has default, other"):
        DatabaseAliases("agency_a", "agency_c").tenants()


def test_a_list_of_tenants_with_such_an_alias_fails(monkeypatch):  # R20
    monkeypatch.setattr(rota._tenancy, "_source", DatabaseAliases("agency_c"))
    rota._tenancy.directory.forget()

    with pytest.raises(TenantListFailed, match="agency_c not in DATABASES"):
        rota.list_tenants()
