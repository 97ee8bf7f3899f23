"""An enqueue within the transaction of `db.session`: in it where the store is there, else after it."""

import shutil

import pytest
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError

from rota import testing
from rota.errors import ConfigurationError, StoreUnavailable
from rota.integrations.flask import FlaskRota
from rota.integrations.flask.transactions import READS
from rota.queries import RunQuery
from rota.stores import open_store
from tests.integrations.flask.test_extension import an_application


@pytest.fixture(scope="module")
def with_store(tmp_path_factory):
    """A SQLite file with Rota's tables, to be copied: they take longer to make than a test."""
    file = tmp_path_factory.mktemp("flask") / "shared.db"
    store = open_store(f"sqlite:///{file}")
    store.setup()
    store.close()
    return file


@pytest.fixture(params=["in the database of the orders", "elsewhere"])
def shop(request, agency, tmp_path, with_store):
    """An agency whose store is in the database of its shared tables, or in memory; with a job."""
    at_home = request.param != "elsewhere"
    shutil.copy(with_store, tmp_path / "shared.db")
    shop = agency(
        "acme",
        "globex",
        store=None if at_home else "memory://",
        SQLALCHEMY_BINDS={"shared": f"sqlite:///{tmp_path}/shared.db"},
        ROTA={"bind": "shared"},
    )
    shop.jobs.job(name="confirm")(lambda: None)
    with shop.app.app_context():
        yield shop


def ordered(shop):
    """Add an order, and have it confirmed."""
    shop.db.session.add(shop.Order(item="tea"))
    return shop.jobs.jobs["confirm"].enqueue()


def queued(shop):
    return [run.id for run in shop.jobs.store.runs(RunQuery())]


def test_a_run_is_there_with_the_commit_and_not_before(shop):  # R34
    run = ordered(shop)
    before = queued(shop)
    shop.db.session.commit()

    assert (before, queued(shop)) == ([], [run.id])


@pytest.mark.parametrize("ends", ["rollback", "close", "remove"])
def test_without_a_commit_there_never_was_one(shop, ends):  # R34
    ordered(shop)
    getattr(shop.db.session, ends)()
    shop.db.session.commit()

    assert queued(shop) == []


def test_a_savepoint_takes_back_what_was_enqueued_since(shop):  # R34
    first = ordered(shop)
    with pytest.raises(KeyError), shop.db.session.begin_nested():
        ordered(shop)
        raise KeyError
    with shop.db.session.begin_nested():
        last = ordered(shop)
    shop.db.session.commit()

    assert sorted(queued(shop)) == sorted([first.id, last.id])


def test_a_savepoint_that_is_released_is_no_commit(shop):  # R34
    # Written first: to sqlite3, a savepoint without a transaction around it is one.
    shop.db.session.add(shop.Order(item="tea"))
    shop.db.session.flush()
    with shop.db.session.begin_nested():
        ordered(shop)
    shop.db.session.rollback()

    assert queued(shop) == []


def test_each_transaction_of_a_session_queues_its_own(shop):
    first = ordered(shop)
    shop.db.session.commit()
    ordered(shop)
    shop.db.session.rollback()
    last = ordered(shop)
    shop.db.session.commit()

    assert sorted(queued(shop)) == sorted([first.id, last.id])


def test_a_session_that_has_only_read_is_not_waited_for(shop):
    # Whoever looks up the user of a request commits nothing.
    shop.db.session.scalars(select(shop.Order)).all()

    run = shop.jobs.jobs["confirm"].enqueue()

    assert queued(shop) == [run.id]


@pytest.mark.parametrize(
    ("statement", "reads"),
    [
        ("select 1", True),
        ("/* who asks */ (SELECT 1) UNION SELECT 2", True),
        ("-- who asks\nWITH own AS (SELECT 1) SELECT * FROM own", True),
        ("SAVEPOINT sa_savepoint_1", True),
        ("SELECT id FROM stock WHERE item = 'tea'\nFOR NO KEY UPDATE", False),
        ("WITH gone AS (DELETE FROM stock RETURNING id) SELECT * FROM gone", False),
        ("SELECTED", False),
        ("CALL close_the_year()", False),
        ("INSERT INTO stock SELECT 1", False),
    ],
)
def test_what_only_reads_is_known_by_its_first_word(statement, reads):
    assert bool(READS.match(statement)) is reads


@pytest.mark.parametrize("by", ["orm", "core", "flushed", "changed"])
def test_whatever_is_written_is_waited_for(shop, by):
    ordered(shop)
    shop.db.session.commit()
    match by:
        case "orm":
            shop.db.session.execute(update(shop.Order).values(item="coffee"))
        case "core":
            shop.db.session.connection(bind_arguments={"bind": shop.db.engines["shared"]}).execute(
                text('DELETE FROM "order"')
            )
        case "flushed":
            shop.db.session.add(shop.Order(item="coffee"))
            shop.db.session.flush()
        case "changed":
            shop.db.session.scalars(select(shop.Order)).one().item = "coffee"

    run = shop.jobs.jobs["confirm"].enqueue()

    assert run.id not in queued(shop)


def test_with_a_tenants_session_open_it_waits_for_both(shop):  # R34
    for outer, inner in (("commit", "rollback"), ("rollback", "commit"), ("commit", "commit")):
        shop.db.session.add(shop.Order(item="tea"))
        with shop.jobs.tenant("acme"):
            shop.db.session.add(shop.Note(text="tea is wanted"))
            run = shop.jobs.jobs["confirm"].enqueue()
            getattr(shop.db.session, inner)()
        assert queued(shop) == []
        getattr(shop.db.session, outer)()

    assert queued(shop) == [run.id]


def test_of_what_the_tenants_database_refuses_to_commit_there_is_no_run(shop):  # R34
    with shop.jobs.tenant("acme") as tenant:
        with tenant.begin() as db:
            db.execute(text("CREATE TABLE reply (id INTEGER REFERENCES note DEFERRABLE INITIALLY DEFERRED)"))
        shop.db.session.execute(text("PRAGMA foreign_keys = ON"))
        shop.db.session.execute(text("INSERT INTO reply VALUES (404)"))
        ordered(shop)
        with pytest.raises(IntegrityError, match="FOREIGN KEY"):
            shop.db.session.commit()

    assert queued(shop) == []


def test_a_store_that_is_away_after_the_commit_is_said_loudly(agency):
    shop = agency()
    shop.jobs.job(name="confirm")(lambda: None)

    with testing.capture(shop.jobs) as jobs, shop.app.app_context():
        run = ordered(shop)
        with jobs.store_away(), pytest.raises(StoreUnavailable):
            shop.db.session.commit()
        # The session is as after any commit.
        assert shop.db.session.scalars(select(shop.Order.item)).all() == ["tea"]
        assert run.id not in [one.id for one in jobs.runs()]


def test_a_store_in_the_file_of_the_application_is_made_before_that_is_written(agency, tmp_path):
    # One writes at a time: the first enqueue would have to wait for its own transaction.
    shop = agency(store=None, SQLALCHEMY_BINDS={"shared": f"sqlite:///{tmp_path}/fresh.db"}, ROTA={"bind": "shared"})
    shop.jobs.job(name="confirm")(lambda: None)

    with shop.app.app_context():
        shop.db.session.add(shop.Order(item="tea"))
        shop.db.session.flush()
        run = shop.jobs.jobs["confirm"].enqueue()
        shop.db.session.commit()

    assert queued(shop) == [run.id]


def test_an_enqueue_where_the_sessions_cannot_be_heard_is_refused(agency):
    app = an_application(SQLALCHEMY_DATABASE_URI="sqlite://", ROTA_STORE="memory://")
    jobs = FlaskRota(app)
    SQLAlchemy().init_app(app)

    with app.app_context(), pytest.raises(ConfigurationError, match="is to come before"):
        jobs.job(name="noop")(lambda: None).enqueue()


def test_sessions_of_flask_sqlalchemy_as_they_are_will_do():
    db, app = SQLAlchemy(), an_application(SQLALCHEMY_DATABASE_URI="sqlite://")
    db.init_app(app)
    jobs = FlaskRota(app)
    noop = jobs.job(name="noop")(lambda: None)

    with app.app_context():
        db.session.execute(text("CREATE TABLE seen (id INTEGER)"))
        run = noop.enqueue()
        assert jobs.store_url == "memory://"
        assert jobs.store.runs(RunQuery()) == []
        db.session.commit()
        assert [one.id for one in jobs.store.runs(RunQuery())] == [run.id]
        db.engine.dispose()
