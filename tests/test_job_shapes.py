"""What may be a job: the shapes of the systems that Rota replaces, unchanged, and what is refused with its reason."""

import asyncio
import inspect
import subprocess
import sys
from abc import ABC, abstractmethod
from datetime import timedelta
from functools import partial, wraps

import pytest

from rota import Registry, Retry, Rota, RunContext, State, StopSignal
from rota.core.model import Outcome, Tenant
from rota.errors import BadArguments, ConfigurationError, DuplicateJob, UnsupportedJob
from rota.executors.call import execute
from rota.settings import Settings, WorkerSettings
from rota.stores.memory import MemoryStore
from tests import shapes
from tests.engine.house import Driven, an_app, runs_of
from tests.system.processes import wait_until
from tests.tenants.conftest import hold_name
from tests.values import MINUTE, NOON

SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def seen():
    shapes.SEEN.clear()
    return shapes.SEEN


@pytest.fixture
def agencies(tmp_path):
    """Two tenants with a database each; of a third one the database has no table."""
    for name in ("acme", "globex"):
        hold_name(tmp_path / f"{name}.db", name)
    (tmp_path / "broken.db").touch()
    return [Tenant(id=name, url=f"sqlite:///{tmp_path / name}.db") for name in ("acme", "broken", "globex")]


def run_of(app):
    Driven(app, app.clock).settle_down()
    [run] = runs_of(app)
    return run


# --- the shapes of the documents ---


def test_a_function_with_a_stop_event_runs_unchanged(seen):  # R43
    app = an_app()
    app.job()(shapes.my_job).enqueue()

    run = run_of(app)

    assert (run.state, run.result) == (State.SUCCEEDED, '{"counts":{"lines_added":3}}')


def test_its_own_result_object_that_says_no_is_a_failure_with_its_error():  # R43
    app = an_app()
    app.job(retry=Retry(attempts=1))(shapes.my_failing_job).enqueue()

    run = run_of(app)

    assert (run.state, run.error.first_line) == (State.FAILED, "OSError: the site does not answer")


def test_its_stop_event_is_set_when_it_is_cancelled_and_the_next_run_has_its_own(seen):  # R41
    quick = WorkerSettings(lease=3 * SECOND, heartbeat=0.2 * SECOND, margin=SECOND)
    app = Rota(MemoryStore(), settings=Settings(worker=quick))
    job = app.job(retry=Retry(attempts=1))(shapes.my_job_until_stopped)
    steady = app.job()(shapes.my_job)
    with app.working():
        handle = job.enqueue()
        wait_until(lambda: seen == ["begun"], what="the job works")

        handle.cancel()

        wait_until(lambda: handle.refresh().state.is_final, what="it ends")
        assert handle.state is State.CANCELLED
        assert steady.enqueue().result(10 * SECOND) == {"counts": {"lines_added": 4}}
    app.close()


@pytest.mark.parametrize("outcome", [Outcome.TIMED_OUT, Outcome.CANCELLED, Outcome.INTERRUPTED])
def test_its_answer_to_the_stop_event_is_not_a_failure_of_its_own(outcome):  # R42, R45
    stop = StopSignal()
    stop.set("a deploy", outcome=outcome)

    ending = execute(lambda: shapes.my_job(stop), stop=stop, started_at=NOON)

    assert (ending.outcome, ending.reason) == (outcome, "a deploy")


def test_a_function_of_a_database_name_and_an_engine_runs_unchanged_for_every_tenant(seen, agencies):  # R21, R22
    app = an_app(tenants=agencies)
    app.job(per_tenant=True)(shapes.my_new_cron_job)
    app.start_run("my_new_cron_job")

    Driven(app, app.clock).settle_down()

    assert {run.tenant: run.state for run in runs_of(app)} == dict.fromkeys(
        ["acme", "broken", "globex"], State.SUCCEEDED
    )
    # It swallows its errors: that is its own say, and the next one was visited all the same.
    outcomes = {(one[0], one[2].rpartition("/")[2]) for one in seen if isinstance(one, tuple)}
    assert outcomes == {("success", "acme.db"), ("failure", "broken.db"), ("success", "globex.db")}
    assert sorted(one for one in seen if isinstance(one, str)) == ["acme", "globex"]


def test_a_class_with_a_run_method_is_a_job_and_each_run_has_a_fresh_instance(seen):  # R21
    app = an_app()
    job = app.job()(shapes.InvalidatePendingRegistration)

    handles = [job.enqueue(), job.enqueue()]
    Driven(app, app.clock).settle_down()

    assert [handle.result() for handle in handles] == [{"forgotten": 1}] * 2
    assert seen == [["acme"], ["acme"]]
    assert job() == {"forgotten": 1}
    assert (job.name, job.job.description) == (
        "InvalidatePendingRegistration", "Forget registrations that nobody confirmed.",
    )  # fmt: skip
    assert job.job.place.startswith(shapes.__file__)


def test_the_run_method_gets_what_it_names_and_its_own_arguments_are_checked(seen, agencies):  # R31
    app = an_app(tenants=agencies)
    job = app.job(per_tenant=True, name="sums")(shapes.WithDatabase)

    job.using(tenant="acme").enqueue(limit=7)
    run = run_of(app)

    assert (run.job, run.state) == ("sums", State.SUCCEEDED)
    assert [(name.rpartition("/")[2], limit) for name, limit in seen] == [("acme.db", 7)]
    assert job.job.description == "Sum up one agency."
    with pytest.raises(BadArguments, match=r"sums\(limit: int = 3\)"):
        job.using(tenant="acme").enqueue("seven")
    assert str(inspect.signature(job)) == "(db_name, limit: int = 3)"


def test_a_class_is_decorated_in_place_with_static_and_class_methods_too():
    app = an_app()

    @app.job()
    class Still:
        @staticmethod
        def run(number: int) -> int:
            return number + 1

    @app.job()
    class Own:
        step = 2

        @classmethod
        def run(cls, ctx: RunContext, number: int) -> int:
            return number + cls.step

    handles = [Still.enqueue(1), Own.enqueue(1)]
    Driven(app, app.clock).settle_down()

    assert [handle.result() for handle in handles] == [2, 3]


def test_two_classes_that_share_a_run_method_are_two_jobs():  # R16
    class Base:
        def run(self) -> None: ...

    class First(Base): ...

    class Second(Base): ...

    registry = Registry()
    registry.job(name="tidy")(First)
    registry.job(name="tidy")(First)
    with pytest.raises(DuplicateJob, match=r"First.*Second"):
        registry.job(name="tidy")(Second)


# --- coroutines ---


def test_an_async_def_runs_on_the_event_loop_without_being_told():  # R40
    app = an_app()

    async def own(ctx: RunContext) -> str:
        await asyncio.sleep(0)
        return ctx.run_id

    jobs = [app.job()(shapes.fetch), app.job()(shapes.NoopCronJob), app.job(executor="asyncio")(own)]

    assert [job.job.executor for job in jobs] == ["asyncio"] * 3
    assert asyncio.run(jobs[0]("a")) == "A"
    assert asyncio.run(jobs[1]()) == "nothing to do"


def test_what_wraps_a_coroutine_function_may_be_one():
    @wraps(shapes.fetch)
    def logged(url):
        return shapes.fetch(url)

    class Caller:
        async def __call__(self) -> None: ...

    registry = Registry()

    assert registry.job(executor="asyncio")(logged).job.executor == "asyncio"
    assert registry.job(name="partial")(partial(shapes.fetch, "a")).job.executor == "asyncio"
    assert registry.job(name="object")(Caller()).job.executor == "asyncio"


@pytest.mark.parametrize("executor", ["thread", "process"])
@pytest.mark.parametrize("job", [shapes.fetch, shapes.NoopCronJob])
def test_an_async_def_outside_the_event_loop_is_refused(job, executor):  # R64
    with pytest.raises(UnsupportedJob, match=f"{job.__name__}.*async def.*{executor}"):
        Registry().job(executor=executor)(job)


@pytest.mark.parametrize("job", [shapes.my_job, shapes.InvalidatePendingRegistration, print])
def test_a_plain_def_on_the_event_loop_is_refused(job):  # R64
    with pytest.raises(UnsupportedJob, match=f"{job.__name__}.*plain `def`.*async def"):
        Registry().job(executor="asyncio")(job)


# --- what is refused ---


class Abstract(ABC):
    @abstractmethod
    def run(self) -> None: ...


@pytest.mark.parametrize(
    ("options", "job", "said"),
    [
        ({}, shapes.WithoutRun, "WithoutRun has no `run` method"),
        ({}, shapes.NeedsArguments, r"NeedsArguments cannot be made without arguments \(db, size\)"),
        ({}, Abstract, "Abstract is abstract"),
        ({}, shapes.generated, "generated .*`yield`"),
        ({}, lambda: None, "name=..."),
        ({"executor": "inline"}, shapes.my_job, "'inline'.*'thread', 'process', 'asyncio' and 'celery'"),
        ({"executor": "process", "name": "x"}, lambda: None, "'x' is a lambda.*top level"),
        ({"executor": "thread", "max_memory": "1GB"}, shapes.my_job, "my_job.*max_memory.*executor='process'"),
        ({"max_cpu": "10m"}, shapes.my_job, "my_job.*max_cpu.*executor='process'"),
        ({"max_cpu": "10m"}, shapes.fetch, "fetch.*max_cpu.*executor='process'"),
    ],
)
def test_what_cannot_be_a_job_is_refused_with_the_reason_and_the_way_out(options, job, said):  # R64
    registry = Registry()

    with pytest.raises(UnsupportedJob, match=said):
        registry.job(**options)(job)

    assert registry.functions == {}


def test_a_function_inside_another_is_refused_as_a_process_job():
    def nested() -> None: ...

    class Nested:
        def run(self) -> None: ...

    for job in (nested, Nested):
        with pytest.raises(UnsupportedJob, match=r"inside test_a_function_inside.*\(\).*executor='thread'"):
            Registry().job(executor="process")(job)
    assert Registry().job(executor="thread")(nested).job.executor == "thread"


def test_a_function_that_was_typed_in_is_refused_as_a_process_job():
    typed = (
        "from rota import Registry\n"
        "def job(): ...\n"
        "Registry().job()(job)\n"
        "try: Registry().job(executor='process')(job)\n"
        "except ValueError as error: print(error)\n"
    )

    said = subprocess.run([sys.executable, "-c", typed], capture_output=True, text=True, check=True).stdout

    assert "job 'job' was typed in" in said and "executor='thread'" in said


def test_process_jobs_have_limits():
    registry = Registry()

    job = registry.job(executor="process", max_memory="512MB", max_cpu="10m")(shapes.my_job).job
    other = registry.job(executor="process", max_memory=64 << 20)(shapes.my_new_cron_job).job

    assert (job.executor, job.max_memory, job.max_cpu) == ("process", 512 << 20, 10 * MINUTE)
    assert (other.max_memory, other.max_cpu) == (64 << 20, None)
    assert registry.job(executor="process")(shapes.WithDatabase).job.executor == "process"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_memory": "63MB"}, "my_job.*max_memory='63MB'.*at least 64MB"),
        ({"max_memory": -1}, "my_job.*max_memory"),
        ({"max_memory": "much"}, "my_job.*max_memory.*64MB"),
        ({"max_cpu": "0s"}, "my_job.*max_cpu='0s'"),
        ({"timeout": "0s"}, "my_job.*timeout='0s'.*timeout=None"),
        ({"timeout": timedelta(-1)}, "my_job.*timeout.*timeout=None"),
        ({"timeout": timedelta(0)}, "my_job.*timeout.*timeout=None"),
        ({"timeout": "soon"}, "my_job.*timeout.*10m"),
        ({"timeout": "200000w"}, "my_job.*timeout.*century"),
        ({"fresh_within": "0s"}, "my_job.*fresh_within"),
    ],
)
def test_a_limit_that_is_none_names_job_and_way_out(options, said):  # F16, R64
    with pytest.raises(ConfigurationError, match=said):
        Registry().job(executor="process", **options)(shapes.my_job)


def test_a_job_has_tags_once_each():
    job = Registry().job(tags=["customer", "mail.out", "customer"])(shapes.my_job).job

    assert job.tags == ("customer", "mail.out")


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ("customer", r"my_job.*a list.*\['customer'\]"),
        (["two words"], "my_job.*'two words' is no word"),
        ([""], "my_job.*'' is no word"),
        (["a,b"], "my_job.*'a,b' is no word"),
        (["x" * 65], "my_job.*at most 64"),
        (["-x"], "my_job.*'-x' is no word"),
        ([1], "my_job.*1 is no word"),
    ],
)
def test_a_tag_is_a_word(tags, said):  # R64
    with pytest.raises(ConfigurationError, match=said):
        Registry().job(tags=tags)(shapes.my_job)


# --- time limits and arguments ---


@pytest.mark.parametrize("timeout", [timedelta.max, "36500d", timedelta(microseconds=1), None])
def test_any_time_limit_that_is_longer_than_nothing_works(timeout):  # F16
    app = an_app()
    app.job(timeout=timeout)(shapes.my_job).enqueue()

    assert run_of(app).state is State.SUCCEEDED


@pytest.mark.parametrize(
    ("is_told", "state", "outcome"),
    [(True, State.FAILED, Outcome.TIMED_OUT), (False, State.SUCCEEDED, Outcome.SUCCEEDED)],
)
def test_a_job_that_ends_exactly_at_its_time_limit_has_one_outcome(is_told, state, outcome):  # F16
    app = an_app()

    @app.job(timeout="1m", retry=Retry(attempts=1))
    def punctual(ctx: RunContext) -> None:
        app.clock.tick(MINUTE)
        if is_told:
            # The watch of the worker comes round in the same instant.
            ctx.stop.set("its time limit is over", outcome=Outcome.TIMED_OUT)

    punctual.enqueue()
    run = run_of(app)

    assert run.state is state
    assert [attempt.outcome for attempt in app.store.run(run.id).attempts] == [outcome]


def test_a_job_that_changes_its_arguments_gets_the_stored_ones_again(seen):  # F18
    app = an_app()
    handle = app.job(retry=Retry(attempts=3, base=timedelta(0)))(shapes.grows).enqueue([1], {"a": 1})

    Driven(app, app.clock).settle_down()

    assert handle.result() == 2
    assert seen == [([1], {"a": 1})] * 3
    assert handle.refresh().args == '{"args":[],"kwargs":{"items":[1],"names":{"a":1}}}'
