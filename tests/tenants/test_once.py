"""Effects that happen exactly once in a tenant's database, whatever happens to the attempts (G8)."""

import threading
from contextlib import ExitStack

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, create_engine, func, inspect, select, text

from rota import RunContext
from rota.core.model import Outcome, Tenant
from rota.errors import ConfigurationError, Refused
from rota.tenants import PostgresSchemas, listed
from rota.tenants.engines import TenantEngines
from rota.tenants.once import first_time
from tests.engine.house import Driven, an_app, runs_of

RUN, OTHER = "a" * 32, "b" * 32
EFFECTS = Table("effects", MetaData(), Column("number", Integer))
SECONDS = 10.0


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def kind(request):
    return request.param


@pytest.fixture
def url(kind, request, tmp_path):
    """The URL of a database with a table for effects."""
    url = f"sqlite:///{tmp_path / 'acme.db'}" if kind == "sqlite" else request.getfixturevalue(f"{kind}_database")
    engine = create_engine(url)
    with engine.begin() as connection:
        EFFECTS.create(connection)
    engine.dispose()
    return url


@pytest.fixture
def engine(url):
    """An engine of the tenant with this database, as a job gets it."""
    with TenantEngines().borrow(Tenant(id="acme", url=url)) as engine:
        yield engine


def effects(engine):
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(EFFECTS))


def work(connection, *, run=RUN, name=""):
    """Have the effect if it is the first time; return whether it was."""
    is_first = first_time(connection, run, name)
    if is_first:
        connection.execute(EFFECTS.insert().values(number=1))
    return is_first


def test_the_effect_happens_once_per_run_and_name(engine):  # G8
    answers = []
    for run, name in [(RUN, ""), (RUN, ""), (RUN, "mail"), (RUN, "mail"), (RUN, "Mail"), (OTHER, "")]:
        with engine.begin() as connection:
            answers.append(work(connection, run=run, name=name))

    assert answers == [True, False, True, False, True, True]
    assert effects(engine) == 4


def test_asked_twice_in_one_transaction_the_answer_is_no(engine):
    with engine.begin() as connection:
        assert [work(connection), work(connection)] == [True, False]


def test_a_mark_goes_with_the_work_that_was_rolled_back(engine):  # G8
    def broken(connection):
        connection.execute(EFFECTS.insert().values(number=1))
        work(connection)
        raise RuntimeError("killed in the midst")

    # Twice: the first time the table is made on the way, and that must not commit the work before it.
    for _ in range(2):
        with pytest.raises(RuntimeError), engine.begin() as connection:
            broken(connection)
        assert effects(engine) == 0

    with engine.begin() as connection:
        assert work(connection)
    assert effects(engine) == 1


@pytest.mark.parametrize("commits", [True, False])
def test_an_attempt_that_is_still_at_it_is_waited_for(engine, commits):  # G8, G6
    with engine.begin() as connection:
        work(connection, run=OTHER)
    answers = []
    begun = threading.Event()

    def second():
        with engine.begin() as connection:
            begun.set()
            answers.append(work(connection))

    thread = threading.Thread(target=second)
    with engine.connect() as first:
        assert work(first)
        thread.start()
        assert begun.wait(SECONDS)
        thread.join(0.3)
        assert answers == []
        if commits:
            first.commit()
        else:
            first.rollback()
        thread.join(SECONDS)

    assert answers == [not commits]
    assert effects(engine) == 2


def test_many_first_users_at_once_have_one_effect_and_one_table(url):
    together, answers = threading.Barrier(6), []

    def attempt(engine):
        with engine.begin() as connection:
            together.wait(SECONDS)
            answers.append(work(connection))

    with ExitStack() as held:
        # Each its own engine, as in six processes.
        engines = [held.enter_context(TenantEngines().borrow(Tenant(id="acme", url=url))) for _ in range(6)]
        threads = [threading.Thread(target=attempt, args=[engine]) for engine in engines]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(2 * SECONDS)

        assert sorted(answers) == [False] * 5 + [True]
        assert effects(engines[0]) == 1


def test_a_pool_of_one_connection_is_enough(url):
    engine = create_engine(url, pool_size=1, max_overflow=0, pool_timeout=1)

    with engine.begin() as connection:
        assert work(connection)

    assert effects(engine) == 1
    engine.dispose()


def test_a_connection_that_commits_by_itself_is_refused(url):  # R64
    engine = create_engine(url, isolation_level="AUTOCOMMIT")

    with engine.connect() as connection, pytest.raises(Refused, match="autocommit"):
        work(connection)

    assert effects(engine) == 0
    engine.dispose()


@pytest.mark.parametrize("name", ["x" * 192, "mail ", "a\0b", "two\nlines"])
def test_a_name_that_databases_would_change_is_refused(engine, name):  # R64
    with engine.begin() as connection, pytest.raises(ConfigurationError, match="printable"):
        first_time(connection, RUN, name)


def test_a_name_with_quotes_is_only_a_value(engine):  # R26
    with engine.begin() as connection:
        assert first_time(connection, RUN, "'); DROP TABLE effects; -- %s :x ü")
        assert not first_time(connection, RUN, "'); DROP TABLE effects; -- %s :x ü")

    assert effects(engine) == 0


def test_a_transaction_that_has_its_snapshot_already_may_be_the_first_user(engine, kind):
    level = {} if kind == "sqlite" else {"isolation_level": "REPEATABLE READ"}
    with engine.connect().execution_options(**level) as connection:
        connection.execute(select(EFFECTS)).all()

        assert work(connection)
        connection.commit()

    assert effects(engine) == 1


def test_each_schema_has_marks_of_its_own(postgres_database):  # R22
    quoted = 'odd "name"'
    owner = create_engine(postgres_database)
    with owner.begin() as connection:
        for schema in ("acme", quoted):
            connection.exec_driver_sql(f"CREATE SCHEMA {connection.dialect.identifier_preparer.quote(schema)}")
        # One of everybody's, further down the search path of whoever has it.
        connection.exec_driver_sql("CREATE TABLE public.rota_once (oops int)")
    engines = TenantEngines()

    for tenant in listed(PostgresSchemas(postgres_database, exclude=["public"])):
        with engines.borrow(tenant) as engine:
            for expected in (True, False):
                with engine.begin() as connection:
                    assert first_time(connection, RUN, "") is expected
    with owner.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA third")
    with owner.begin() as connection:
        connection.execute(text("SET LOCAL search_path TO third, public"))
        assert first_time(connection, RUN, "")

    assert all(inspect(owner).has_table("rota_once", schema=schema) for schema in ("acme", quoted, "third"))
    owner.dispose()


def test_the_table_is_made_where_a_mysql_connection_is_now(mariadb_server, mariadb_database):
    elsewhere = mariadb_server.create_database().rpartition("/")[2]
    engine = create_engine(mariadb_database)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"USE {elsewhere}")

        assert first_time(connection, RUN, "")

    assert inspect(engine).has_table("rota_once", schema=elsewhere)
    assert not inspect(engine).has_table("rota_once")
    engine.dispose()


def test_a_job_that_is_killed_between_its_effect_and_its_end_has_it_once(url):  # A9, G7, G8
    app = an_app(tenants=[Tenant(id="acme", url=url)])
    answers = []

    @app.job(per_tenant=True)
    def charge(ctx: RunContext) -> None:
        with ctx.tenant.begin() as db:
            answers.append(work(db, run=ctx.run_id) if ctx.once(db, "looked") else ctx.once(db, ""))
        if len(answers) == 1:
            # After the commit and before the end is recorded: what a kill leaves.
            ctx.stop.set("the worker is gone", outcome=Outcome.INTERRUPTED)
            ctx.check()

    charge.using(tenant="acme").enqueue()
    Driven(app, app.clock).settle_down()

    [run] = runs_of(app)
    assert (run.state, answers) == ("succeeded", [True, False])
    engine = create_engine(url)
    assert effects(engine) == 1
    engine.dispose()
