"""`db.session` of the current tenant: in runs, requests and blocks, and of nobody else's database."""

import threading

import pytest
from flask import request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import insert, select, text, update

from rota import RunContext, testing
from rota.errors import ConfigurationError, NoTenant, TenantNotFound
from rota.integrations.flask.sessions import TenantSession
from tests.integrations.flask.agency import an_agency
from tests.integrations.flask.conftest import close


def marker(agency):
    return agency.db.session.scalar(select(agency.Note.text))


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def anywhere(request, tmp_path):
    """An agency with the tenants acme and globex on each kind of database."""
    if request.param == "sqlite":
        for name in ("acme", "globex"):
            (tmp_path / f"{name}.db").touch()
        agency = an_agency(tenants={name: f"sqlite:///{tmp_path}/{name}.db" for name in ("acme", "globex")})
        yield agency
        close(agency)
        return
    server = request.getfixturevalue(f"{request.param}_server")
    with server.database() as acme, server.database() as globex:
        agency = an_agency(tenants={"acme": acme, "globex": globex})
        yield agency
        close(agency)


def test_each_run_reads_the_marker_of_its_own_tenant_also_beside_the_others(anywhere):  # R21, R22
    together = threading.Barrier(4, timeout=20)

    @anywhere.jobs.job(per_tenant=True)
    def look(ctx: RunContext) -> list[str]:
        loaded = anywhere.db.session.get(anywhere.Note, 1).text
        together.wait()
        plain = anywhere.db.session.execute(text("SELECT text FROM note")).scalar_one()
        anywhere.db.session.execute(update(anywhere.Note).values(text=f"{loaded}, changed"))
        return [ctx.tenant.id, loaded, plain]

    runs = [look.using(tenant=name).enqueue() for name in ("acme", "globex") * 2]
    with anywhere.jobs.working():
        results = [run.result(timeout="20s") for run in runs]

    # Twice each: what is changed and not committed is rolled back, and locks nobody out.
    assert results == [[name, f"marker of {name}", f"marker of {name}"] for name in ("acme", "globex") * 2]
    with anywhere.jobs.tenant("acme"):
        assert marker(anywhere) == "marker of acme"


def test_what_is_loaded_for_one_tenant_is_not_answered_for_another(agency):  # R21
    shop = agency("acme", "globex")

    with shop.app.app_context():
        with shop.jobs.tenant("acme"):
            of_acme = shop.db.session.get(shop.Note, 1)
            with shop.jobs.tenant("globex"):
                assert shop.db.session.get(shop.Note, 1).text == "marker of globex"
            assert shop.db.session.get(shop.Note, 1) is of_acme
        with shop.jobs.tenant("globex"):
            assert shop.db.session.get(shop.Note, 1).text == "marker of globex"


def test_a_request_works_for_a_tenant_until_it_is_over(agency):  # R22
    shop = agency("acme", "globex")

    @shop.app.before_request
    def choose():
        shop.db.session.scalars(select(shop.Order)).all()
        shop.jobs.enter_tenant(request.args["agency"])

    worked_for = []

    @shop.app.get("/")
    def look():
        worked_for.append(shop.jobs.current_tenant)
        return [marker(shop), shop.jobs.current_tenant.id]

    browser = shop.app.test_client()

    answers = [browser.get(f"/?agency={name}").json for name in ("acme", "globex", "acme")]

    assert answers == [[f"marker of {name}", name] for name in ("acme", "globex", "acme")]
    assert not shop.db.session.registry.registry, "a session is left"
    assert shop.jobs._tenancy.engines().open_count == 0


def test_a_tenant_that_is_entered_within_a_block_leaves_nothing_behind(agency):  # R21
    shop = agency("acme", "globex")

    with shop.app.app_context():
        shop.db.session.scalars(select(shop.Order)).all()
        with shop.jobs.tenant("acme"):
            assert marker(shop) == "marker of acme"
            shop.jobs.enter_tenant("globex")
            assert marker(shop) == "marker of globex"
        assert shop.jobs.current_tenant is None

    assert not shop.db.session.registry.registry, "a session is left"
    assert shop.jobs._tenancy.engines().open_count == 0


def test_tables_with_a_bind_key_are_shared_and_nobody_elses_are_read_without_a_tenant(agency):  # R22
    shop = agency("acme")

    with shop.jobs.tenant("acme"):
        shop.db.session.add_all([shop.Order(item="tea"), shop.Note(text="of acme")])
        shop.db.session.commit()
    with shop.app.app_context():
        assert shop.db.session.scalar(select(shop.Order.item)) == "tea"
        assert shop.db.session.execute(select(shop.Order.__table__.c.item)).scalar() == "tea"
        for statement in (select(shop.Note), insert(shop.Note).values(text=""), text("SELECT 1")):
            with pytest.raises(NoTenant, match="there is no tenant here"):
                shop.db.session.execute(statement)


def test_with_a_key_of_their_own_the_tenants_tables_are_marked_and_all_others_shared(tmp_path):
    (tmp_path / "acme.db").touch()
    agency = an_agency(
        tenants={"acme": f"sqlite:///{tmp_path}/acme.db"}, tenant_key="tenant", SQLALCHEMY_DATABASE_URI="sqlite://"
    )

    with agency.jobs.tenant("acme"):
        assert marker(agency) == "marker of acme"
        assert agency.db.session.execute(select(agency.Note.__table__.c.text)).scalar() == "marker of acme"
        agency.db.session.add(agency.Order(item="tea"))
        agency.db.session.commit()
    with agency.app.app_context():
        assert agency.db.session.scalar(select(agency.Order.item)) == "tea"
        with pytest.raises(NoTenant, match="table 'note' is the tenant's"):
            marker(agency)
    close(agency)


def test_a_tenant_without_a_database_never_gets_the_default_one(agency):  # R22
    shop = agency(SQLALCHEMY_DATABASE_URI="sqlite://")
    shop.jobs._tenancy.use(["acme"])

    @shop.jobs.job(per_tenant=True)
    def look() -> None:
        shop.db.session.execute(text("SELECT 1"))

    with testing.capture(shop.jobs) as jobs:
        run = look.using(tenant="acme").enqueue()
        jobs.drain()

        assert shop.jobs.store.run(run.id).attempts[-1].error.type == "NoTenant"


def test_a_session_is_not_bound_by_hand(agency):
    shop = agency()

    with shop.app.app_context(), pytest.raises(ConfigurationError, match=r"with rota.tenant\(...\)"):
        shop.db.session.bind = shop.db.engines["shared"]


def test_a_tenant_session_is_not_taken_without_its_scope(agency):
    alone = SQLAlchemy(session_options={"class_": TenantSession})
    shop = agency()

    with shop.app.app_context(), pytest.raises(ConfigurationError, match="tenant_sessions"):
        alone.session()


def test_whoever_lists_the_tenants_may_ask_the_session_also_for_a_run_of_one(agency):
    shop = agency("acme")
    with shop.app.app_context():
        shop.db.session.add(shop.Order(item="acme"))
        shop.db.session.commit()

    def listed():
        # Nothing of the tenant that is worked for: this is of the application.
        assert shop.jobs.current_tenant is None
        return list(shop.db.session.scalars(select(shop.Order.item)))

    shop.jobs._tenancy.use(listed)
    shop.jobs._tenancy.let_go()
    with shop.app.app_context(), shop.jobs.tenant("acme"):
        assert [tenant.id for tenant in shop.jobs.list_tenants()] == ["acme"]

    assert not shop.db.session.registry.registry, "a session is left"


def test_a_tenant_that_nobody_lists_is_named(agency):
    shop = agency("acme")

    with pytest.raises(TenantNotFound, match="acme"), shop.jobs.tenant("acne"):
        pass
