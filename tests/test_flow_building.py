"""Chains and batches that could never work are refused where they are made, and nothing is enqueued (R31, R32)."""

from collections.abc import Mapping

import pytest
from sqlalchemy import create_engine

from rota import BatchSummary, Registry, Rota, RunContext
from rota.core.codec import ARGUMENTS_LIMIT
from rota.errors import (
    BadArguments,
    ConfigurationError,
    FlowNotFound,
    JobNotFound,
    NoTenant,
    StoreIsBlackHole,
    StoreUnavailable,
    TenantNotFound,
)
from rota.queries import RunQuery
from rota.stores.memory import MemoryStore
from tests.contract.flaky import Moment, flaky
from tests.engine.house import an_app


@pytest.fixture
def app() -> Rota:
    app = an_app()

    @app.job()
    def fetch(number: int) -> list[int]:
        return [number]

    @app.job()
    def total(rows: list[int], plus: int = 0) -> int:
        return sum(rows) + plus

    @app.job()
    def show(ctx: RunContext, text: str) -> None: ...

    @app.job()
    def nothing() -> None: ...

    @app.job()
    def named(*, rows: list[int]) -> None: ...

    @app.job()
    def many(*rows: int) -> None: ...

    @app.job(per_tenant=True)
    def visit(ctx: RunContext) -> None: ...

    @app.job()
    def after(summary: BatchSummary) -> None: ...

    @app.job()
    def after_any(summary: Mapping[str, object]) -> None: ...

    return app


def test_a_chain_or_a_batch_of_nothing(app):
    with pytest.raises(ConfigurationError, match="of nothing"):
        app.chain()
    with pytest.raises(ConfigurationError, match="of nothing"):
        app.batch([])


def test_what_is_no_step_is_named_with_what_to_write(app):
    jobs = app.jobs
    with pytest.raises(ConfigurationError, match=r"step 2 of the chain is a job, .*: write total.step\(...\)"):
        app.chain(jobs["fetch"].step(1), jobs["total"])
    with pytest.raises(ConfigurationError, match="member 1 of the batch is int"):
        app.batch([7])
    with pytest.raises(ConfigurationError, match="on_success is a job"):
        app.batch([jobs["fetch"].step(1)], on_success=jobs["nothing"])
    with pytest.raises(ConfigurationError, match="takes a list of steps"):
        app.batch(jobs["fetch"].step(1))


def test_a_flow_within_a_flow(app):
    batch = app.batch([app.jobs["fetch"].step(1)])

    with pytest.raises(ConfigurationError, match="step 2 of the chain is a flow itself"):
        app.chain(app.jobs["fetch"].step(1), batch)


def test_a_job_of_another_application(app):
    registry = Registry()

    @registry.job()
    def fetsh(number: int) -> None: ...

    with pytest.raises(JobNotFound, match="'fetch'"):
        app.chain(fetsh.step(1))


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ([("fetch", ["x"])], "number: expected int"),
        ([("fetch", [])], "missing a required argument"),
        ([("fetch", [1]), ("nothing", [])], "nothing.*too many positional arguments"),
        ([("fetch", [1]), ("named", [])], "too many positional arguments"),
        ([("fetch", [1]), ("total", [[1], 2])], "too many positional arguments"),
        ([("fetch", [1]), ("total", ["x"])], "plus: expected int"),
        (
            [("fetch", [1]), ("show", [])],
            r"step 2 .*, show, takes str first, and step 1, fetch, returns list\[int\]",
        ),
        ([("nothing", []), ("fetch", [])], "takes int first, and step 1, nothing, returns NoneType"),
    ],
)
def test_arguments_and_results_that_do_not_fit(app, steps, reason):  # R32, R64
    with pytest.raises(BadArguments, match=reason):
        app.chain(*[app.jobs[name].step(*args) for name, args in steps])
    assert app.store.runs(RunQuery()) == []


def test_what_takes_any_number_takes_the_result_first(app):
    app.chain(app.jobs["total"].step([1]), app.jobs["many"].step(2, 3))


def test_what_follows_a_batch_has_to_take_its_summary(app):
    members = [app.jobs["fetch"].step(1)]

    app.batch(members, on_success=app.jobs["after"].step(), on_complete=app.jobs["after_any"].step())
    with pytest.raises(BadArguments, match=r"on_complete, fetch, takes int .* given a BatchSummary"):
        app.batch(members, on_complete=app.jobs["fetch"].step())
    with pytest.raises(BadArguments, match="too many positional") as refusal:
        app.batch(members, on_success=app.jobs["nothing"].step())
    assert ".without_result()" in refusal.value.__notes__[0]


def test_a_batch_over_no_tenants_and_one_name_for_a_list(app):
    with pytest.raises(ConfigurationError, match="no tenants"):
        app.jobs["visit"].step().for_tenants([])
    with pytest.raises(ConfigurationError, match=r"\['acme'\]"):
        app.jobs["visit"].step().for_tenants("acme")


def test_an_unknown_tenant_or_none_refuses_the_flow_whole(app):
    visit, fetch = app.jobs["visit"], app.jobs["fetch"]

    with pytest.raises(TenantNotFound, match="acme"):
        app.batch([fetch.step(1), *visit.step().for_tenants(["acme", "acne"])]).enqueue()
    with pytest.raises(NoTenant):
        app.chain(fetch.step(1), visit.step().without_result()).enqueue()
    assert app.store.runs(RunQuery()) == []


def test_a_unique_step_and_a_key_that_is_made_of_a_result(app):
    total = app.jobs["total"]
    with pytest.raises(ConfigurationError, match=r"is unique: .*using\(unique=False\)"):
        app.chain(app.jobs["fetch"].step(1), total.using(unique="args").step())
    with pytest.raises(ConfigurationError, match="say the key as text"):
        app.chain(app.jobs["fetch"].step(1), total.using(key=lambda rows: "a").step())


def test_a_step_with_a_connection_of_its_own(app):
    with pytest.raises(ConfigurationError, match=r"a flow is enqueued whole, .enqueue\(connection=...\)"):
        app.chain(app.jobs["fetch"].using(connection=object()).step(1))


def test_a_flow_within_a_transaction_is_there_with_its_commit_or_not_at_all(tmp_path):  # R34
    app = Rota(f"sqlite:///{tmp_path}/rota.db")

    @app.job()
    def fetch(number: int) -> int:
        return number

    chain = app.chain(fetch.step(1), fetch.step())
    assert app.store.runs(RunQuery()) == []
    engine = create_engine(f"sqlite:///{tmp_path}/rota.db")

    with pytest.raises(ZeroDivisionError), engine.begin() as transaction:
        chain.enqueue(connection=transaction)
        raise ZeroDivisionError
    assert app.store.runs(RunQuery()) == []
    with engine.begin() as transaction:
        flow = chain.enqueue(connection=transaction)
    assert [run.batch for run in flow.runs()] == [f"flow/{flow.id}"] * 2
    engine.dispose()
    app.close()


def test_arguments_beyond_the_limit(app):
    with pytest.raises(BadArguments, match="the limit is"):
        app.chain(app.jobs["fetch"].step(1), app.jobs["after_any"].step("x" * ARGUMENTS_LIMIT).without_result())


def test_a_store_that_is_away_has_taken_nothing():
    store, cut = flaky(MemoryStore())
    app = an_app(store=store)

    @app.job()
    def fetch(number: int) -> int:
        return number

    cut.cut("enqueue", Moment.BEFORE)
    cut.cut("enqueue", Moment.BEFORE, call=2)
    with pytest.raises(StoreUnavailable):
        app.chain(fetch.step(1), fetch.step()).enqueue()
    assert app.store.runs(RunQuery()) == []


def test_an_answer_that_was_lost_is_asked_for_again_and_the_flow_is_there_once():
    store, cut = flaky(MemoryStore())
    app = an_app(store=store)

    @app.job()
    def fetch(number: int) -> int:
        return number

    cut.cut("enqueue", Moment.AFTER)
    flow = app.chain(fetch.step(1), fetch.step()).enqueue()

    assert len(app.store.runs(RunQuery())) == len(flow.runs()) == 2


def test_a_flow_that_is_not_there(app):
    with pytest.raises(FlowNotFound, match="no flow '123456'"):
        app.flow("123456").runs()


def test_a_flow_can_be_started_more_than_once_and_found_by_its_id(app):
    chain = app.chain(app.jobs["fetch"].step(1), app.jobs["total"].step())

    first, second = chain.enqueue(), chain.enqueue()

    assert first != second
    assert app.flow(first.id) == first
    assert [run.id for run in app.flow(first.id).runs()] == [child.id for child in first.children]


@pytest.mark.parametrize("ask", ["progress", "is_over", "wait", "result"])
def test_a_flow_that_is_not_there_is_not_taken_for_one_that_is_over(ask):
    app, black = an_app(), Rota("blackhole://")

    for handle, error in ((app.flow("0" * 32), FlowNotFound), (black.flow("0" * 32), StoreIsBlackHole)):
        with pytest.raises(error):
            getattr(handle, ask)() if ask in ("wait", "result") else getattr(handle, ask)
