"""Who asked for work: from a request into the job, and nowhere else (R37)."""

from datetime import date

import pytest

from rota import JobContext, Retry, State, job_context
from rota.errors import CarriedUnreadable, ConfigurationError, ContextMismatch, NoJobContext
from tests.clocks import FakeClock
from tests.engine.house import Driven, an_app, runs_of

ONCE = Retry(attempts=1)
ANA = JobContext(tenant="acme", user_id="ana", attributes={"locale": "fr"})


@pytest.fixture
def requests(monkeypatch):
    """The requests of a framework: the last one is answered now."""
    answered: list[JobContext] = []
    monkeypatch.setattr(job_context, "_sources", [])
    job_context.from_requests(lambda: answered[-1] if answered else None)
    return answered


def a_house(seen: list[object], **fields):
    clock = FakeClock()
    app = an_app(clock=clock, **fields)
    app.carry_job_context(attributes=["locale"])

    @app.job(retry=ONCE)
    def note() -> None:
        seen.append(JobContext.current())

    @app.job(retry=ONCE)
    def pass_on() -> None:
        note.enqueue()

    return app, Driven(app, clock)


def test_data_with_a_version_goes_out_and_comes_back():
    context = JobContext(tenant="acme", user_id="7", attributes={"since": date(2026, 1, 2), "roles": ["admin"]})

    data = context.serialize()

    assert data["version"] == 1
    assert JobContext.deserialize(data) == context
    assert JobContext.deserialize('{"version":1,"context":{"tenant":"acme"}}') == JobContext(tenant="acme")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("{", "not JSON"),
        ("7", "no JSON object"),
        ({}, "version None"),
        ({"version": 2, "context": {}}, "version 2, and this code knows version 1"),
        ({"version": 1, "context": {"tenant": 7}}, r"\$.tenant"),
        ({"version": 1}, "no object 'context'"),
    ],
)
def test_broken_data_and_another_version_are_refused(data, reason):
    with pytest.raises(CarriedUnreadable, match=reason):
        JobContext.deserialize(data)


@pytest.mark.parametrize(
    "attributes",
    [{"password": "x"}, {"api_key": "x"}, {"user": {"sessionId": "x"}}, {"list": [{"AuthToken": "x"}]}],
)
def test_names_of_secrets_are_refused(attributes):
    with pytest.raises(ConfigurationError, match="looks like a secret"):
        JobContext(attributes=attributes).serialize()


def test_a_secret_cannot_be_registered():
    with pytest.raises(ConfigurationError, match="'csrf_token'"):
        an_app().carry_job_context(attributes=["csrf_token"])


def test_outside_of_a_request_the_error_says_what_to_do(monkeypatch, requests):
    with pytest.raises(NoJobContext, match=r"JobContext\(tenant=..., user_id=...\).entered"):
        JobContext.from_request()
    monkeypatch.setattr(job_context, "_sources", [])
    with pytest.raises(NoJobContext, match=r"rota.job_context.from_requests\(function\)"):
        JobContext.from_request()


def test_within_a_request_it_is_that_of_the_request(requests):
    requests.append(ANA)

    assert JobContext.from_request() == ANA


def test_a_job_has_the_context_of_the_request_that_enqueued_it(requests):
    seen: list[object] = []
    app, process = a_house(seen)

    requests.append(ANA)
    app.jobs["note"].enqueue()
    requests.clear()
    process.settle_down()

    assert seen == [ANA]


def test_a_block_that_is_entered_goes_before_the_request_and_jobs_hand_it_on(requests):
    seen: list[object] = []
    app, process = a_house(seen)

    requests.append(ANA)
    with JobContext(tenant="globex").entered():
        app.jobs["pass_on"].using(tenant="globex").enqueue()
    process.settle_down()

    assert seen == [JobContext(tenant="globex")]


def test_a_run_without_one_has_none_and_never_that_of_the_run_before(requests):
    seen: list[object] = []
    app, process = a_house(seen)

    requests.append(ANA)
    app.jobs["note"].enqueue()
    requests.clear()
    app.jobs["note"].enqueue()
    process.settle_down()

    first, second = runs_of(app, jobs=("note",))
    assert (first.state, second.state) == (State.SUCCEEDED, State.FAILED)
    assert "came without a job context" in second.error.message
    with pytest.raises(NoJobContext, match="belongs to no run"):
        JobContext.current()


def test_a_context_of_one_tenant_in_a_run_of_another_is_an_error_that_is_not_retried():
    seen: list[object] = []
    app, _ = a_house(seen)

    @app.job(retry=Retry(attempts=3))
    def persistent() -> None:
        seen.append(JobContext.current())

    with ANA.entered():
        persistent.using(tenant="globex").enqueue()
    Driven(app, app.clock).settle_down()

    [run] = runs_of(app)
    assert (run.state, run.error.type, run.attempt, seen) == (State.FAILED, ContextMismatch.__name__, 1, [])
    assert "'acme'" in run.error.message
    assert "'globex'" in run.error.message


def test_a_run_for_nobody_in_particular_may_have_the_context_of_a_tenant():
    seen: list[object] = []
    app, process = a_house(seen)

    with ANA.entered():
        app.jobs["note"].enqueue()
    process.settle_down()

    assert seen == [ANA]


def test_an_attribute_that_nobody_registered_is_refused_at_enqueue():
    app, _ = a_house([])

    with JobContext(attributes={"colour": "red"}).entered(), pytest.raises(ConfigurationError, match="colour"):
        app.jobs["note"].enqueue()
    assert runs_of(app) == []
