"""Sentry through its SDK, against a fake ingest address: failures once, slots as check-ins (R54, H2)."""

import json
import logging
from datetime import timedelta

import pytest
import sentry_sdk
from sentry_sdk.integrations.logging import LoggingIntegration

from rota import Fail, Retry, Rota, RunContext, State
from rota.core.policy import WITHOUT_END
from rota.errors import ConfigurationError
from rota.integrations.sentry import report_to_sentry
from tests.engine.house import driven
from tests.receiver import answered, dropped, hanging, receiving, redirected
from tests.values import HOUR, SECOND

SECRET = "canary-7f3a91"


def envelope(request):
    """Return the items of an envelope, each with its header."""
    lines = request.text.split(b"\n")
    items, rest = [], lines[1:]
    while rest and rest[0]:
        items.append((json.loads(rest[0]), json.loads(rest[1])))
        rest = rest[2:]
    return items


class Ingest:
    """A receiver in the shape of Sentry."""

    def __init__(self, receiver):
        self.receiver = receiver
        self.dsn = f"http://public@127.0.0.1:{receiver.port}/7"

    def items(self):
        """Return what has arrived, once the SDK has sent all of it."""
        return [item for request in self.receiver.requests for item in envelope(request)]

    def events(self):
        return [body for header, body in self.items() if header["type"] == "event"]

    def check_ins(self):
        return [body for header, body in self.items() if header["type"] == "check_in"]


@pytest.fixture
def ingest():
    with receiving(answered(200, b'{"id": "1"}')) as receiver:
        yield Ingest(receiver)


@pytest.fixture
def app():
    return Rota("memory://", tenants=["acme", "globex"])


@pytest.fixture
def reports(app, ingest):
    reports = report_to_sentry(app, dsn=ingest.dsn, environment="staging", release="1.2.3")
    yield reports
    reports.close()


def failing(app, said="cannot connect to 10.0.0.7"):
    """Return a job that fails, with a secret among its local variables."""

    @app.job(retry=Retry(attempts=1))
    def sync(argument: str = "") -> None:
        local = argument or SECRET
        raise ValueError(said) if local else AssertionError

    return sync

    return sync


# --- failures ---


def test_a_failure_arrives_once_with_what_it_is_about(app, reports, ingest):  # R54
    sync = failing(app)
    run = sync.using(tenant="acme").enqueue(SECRET)
    app.tick()
    reports.close(timeout=timedelta(seconds=10))

    [event] = ingest.events()
    assert event["tags"]["job"] == "sync"
    assert event["tags"]["tenant"] == "acme"
    assert event["tags"]["run"] == run.id
    assert event["tags"]["outcome"] == "failed"
    [exception] = event["exception"]["values"]
    assert (exception["type"], exception["value"]) == ("ValueError", "cannot connect to 10.0.0.7")
    frame = exception["stacktrace"]["frames"][-1]
    assert (frame["function"], frame["in_app"], frame["context_line"]) == (
        "sync",
        True,
        "raise ValueError(said) if local else AssertionError",
    )
    assert (event["environment"], event["release"]) == ("staging", "1.2.3")


def test_the_same_error_is_the_same_issue_as_in_rota(app, reports, ingest):  # R54, R38
    sync = failing(app)
    handles = [sync.using(tenant=tenant).enqueue() for tenant in ("acme", "globex")]
    app.tick()
    reports.close(timeout=timedelta(seconds=10))

    first, second = ingest.events()
    [fingerprint] = {app.store.run(handle.id).run.error.fingerprint for handle in handles}
    assert first["fingerprint"] == second["fingerprint"] == ["rota", "sync", fingerprint]
    assert first["tags"]["rota.fingerprint"] == fingerprint
    assert first["event_id"] != second["event_id"]


def test_no_arguments_no_locals_and_no_secrets_go_along(app, reports, ingest):  # R54, T50, T51, T52
    sync = failing(app, f"mysql://ops:{SECRET}@db/agency failed")
    sync.using(tenant="acme").enqueue(SECRET)
    app.tick()
    reports.close(timeout=timedelta(seconds=10))

    assert len(ingest.events()) == 1
    assert all(SECRET.encode() not in request.text for request in ingest.receiver.requests)


def test_an_attempt_that_is_tried_again_is_not_reported(app, reports, ingest):  # R54
    tries = []

    @app.job(retry=Retry.fixed("0s", attempts=2))
    def sync() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("once")

    sync.enqueue()
    for _ in range(2):
        app.tick()
    reports.close(timeout=timedelta(seconds=10))

    assert len(tries) == 2
    assert ingest.events() == []


def test_of_what_is_tried_until_it_succeeds_each_failure_is_reported(app, reports, ingest):  # R54
    tries = []

    @app.job(retry=Retry.fixed("0s", attempts=WITHOUT_END))
    def sync() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise ValueError("not yet")

    sync.enqueue()
    for _ in range(3):
        app.tick()
    reports.close(timeout=timedelta(seconds=10))

    first, second = ingest.events()
    assert len(tries) == 3
    assert first["event_id"] != second["event_id"]
    assert first["fingerprint"] == second["fingerprint"]


def test_a_returned_failure_is_reported_too(app, reports, ingest):  # R54
    @app.job(retry=Retry(attempts=1))
    def sync() -> Fail:
        return Fail("the provider says no", retry=False)

    sync.enqueue()
    app.tick()
    reports.close(timeout=timedelta(seconds=10))

    [event] = ingest.events()
    assert "the provider says no" in json.dumps(event["exception"])


def test_a_success_is_not_reported(app, reports, ingest):
    @app.job()
    def sync() -> None: ...

    sync.enqueue()
    app.tick()
    reports.close(timeout=timedelta(seconds=10))

    assert ingest.items() == []


def test_through_the_client_of_the_application_it_is_once_too(app, ingest):  # R54
    sentry_sdk.init(dsn=ingest.dsn, integrations=[LoggingIntegration()], auto_enabling_integrations=False)
    try:
        report_to_sentry(app)
        sync = failing(app)
        sync.using(tenant="acme").enqueue(SECRET)
        app.tick()
        logging.getLogger("rota.engine.worker").error("the run failed")
        sentry_sdk.get_client().flush(timeout=10)
    finally:
        sentry_sdk.get_client().close()
        sentry_sdk.get_global_scope().set_client(None)

    assert len(ingest.events()) == 1
    assert all(SECRET.encode() not in request.text for request in ingest.receiver.requests)


def test_before_the_application_has_a_client_nothing_is_sent_and_nothing_fails(app, caplog):
    report_to_sentry(app)
    failing(app).enqueue()

    app.tick()

    assert "a subscriber" not in caplog.text


def test_a_dsn_that_is_none_is_said_without_it(app):  # R64, R65
    with pytest.raises(ConfigurationError, match="is none") as caught:
        report_to_sentry(app, dsn=f"{SECRET}://x")

    assert SECRET not in str(caught.value)


# --- check-ins ---


def hourly(function, **options):
    """Return an application with a job each full hour that reports to an ingest address."""

    def declare(app):
        app.job(schedule="0 * * * *", retry=Retry(attempts=1), **options)(function)

    return driven(tenants=["acme", "globex"])(declare)


def an_hour(process, ingest):
    """Let an hour pass, and return the check-ins of it."""
    reports = report_to_sentry(process.app, dsn=ingest.dsn)
    process.advance(HOUR)
    process.advance(SECOND)
    reports.close(timeout=timedelta(seconds=10))
    return ingest.check_ins()


@pytest.mark.parametrize(("fails", "status"), [(False, "ok"), (True, "error")])
def test_a_slot_checks_in_when_it_begins_and_when_it_is_over(ingest, fails, status):  # R54
    def nightly() -> None:
        if fails:
            raise ValueError("no")

    first, last = an_hour(hourly(nightly, timeout="5m"), ingest)

    assert (first["status"], last["status"]) == ("in_progress", status)
    assert first["check_in_id"] == last["check_in_id"]
    assert last["duration"] >= 0
    assert first["monitor_slug"] == "rota-nightly"
    assert first["monitor_config"] == {
        "schedule": {"type": "crontab", "value": "0 * * * *"},
        "timezone": "UTC",
        "checkin_margin": 5,
        "max_runtime": 135,
        "failure_issue_threshold": 1,
        "recovery_threshold": 1,
    }


def test_a_slot_with_many_tenants_is_one_check_in(ingest):  # R54
    def nightly(ctx: RunContext) -> None:
        if ctx.tenant.id == "globex":
            raise ValueError("no")

    first, last = an_hour(hourly(nightly, per_tenant=True), ingest)

    assert (first["status"], last["status"]) == ("in_progress", "error")
    assert first["check_in_id"] == last["check_in_id"]


def test_a_schedule_that_changes_changes_its_monitor(ingest):  # R54
    def nightly() -> None: ...

    process = hourly(nightly)
    an_hour(process, ingest)
    process.app.schedules.override("nightly", when="30 * * * *")
    # What was read is believed for ten minutes.
    last = an_hour(process, ingest)[-1]

    assert last["monitor_config"]["schedule"]["value"] == "30 * * * *"


def test_what_is_run_by_hand_is_no_check_in(ingest):
    def nightly() -> None: ...

    process = hourly(nightly)
    reports = report_to_sentry(process.app, dsn=ingest.dsn)
    process.app.start_run("nightly")
    process.settle_down()
    process.advance(SECOND)
    reports.close(timeout=timedelta(seconds=10))

    assert ingest.check_ins() == []


def test_what_is_made_up_later_is_no_check_in_of_now(ingest):
    def nightly() -> None: ...

    process = hourly(nightly)
    process.advance(HOUR)
    reports = report_to_sentry(process.app, dsn=ingest.dsn)
    now = process.clock.now()
    process.app.backfill("nightly", since=now - 5 * HOUR, until=now - 2 * HOUR)
    for _ in range(5):
        process.advance(SECOND)
    reports.close(timeout=timedelta(seconds=10))

    assert ingest.check_ins() == []


# --- a Sentry that fails ---


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(hanging, id="slow"),
        pytest.param(dropped, id="closes"),
        pytest.param(redirected("/again", 302), id="redirects without end"),
        pytest.param(answered(503, b"a" * (10 << 20)), id="10 MB"),
    ],
)
def test_a_sentry_that_fails_holds_up_no_job(app, answer):  # H2
    with receiving(answer) as receiver:
        reports = report_to_sentry(app, dsn=f"http://public@127.0.0.1:{receiver.port}/7")
        sync = failing(app)
        # More than its queue takes.
        handles = [sync.enqueue() for _ in range(300)]
        app.tick()
        states = {handle.state for handle in handles}
        receiver.next_request()
        was_open = not receiver.closed.is_set()
        reports.close(timeout=timedelta(0))

    # All had ended while it still had not answered.
    assert was_open
    assert states == {State.FAILED}


def test_nobody_there_holds_up_no_job(app):  # H2
    with receiving() as receiver:
        pass
    reports = report_to_sentry(app, dsn=f"http://public@127.0.0.1:{receiver.port}/7")
    handle = failing(app).enqueue()

    app.tick()

    assert handle.state is State.FAILED
    reports.close(timeout=timedelta(0))
