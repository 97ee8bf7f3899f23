"""A worker works what stands aside for a limit as soon as there is a place, and nothing else waits for that."""

from datetime import timedelta

import pytest

from rota.core.controls import Paused
from rota.core.model import State, Tenant
from rota.errors import ConfigurationError, JobNotFound, QueueNotFound, Refused, TenantNotFound
from rota.queries import AuditQuery
from rota.settings import Settings, load
from tests.clocks import FakeClock
from tests.engine.house import Driven, an_app, runs_of
from tests.values import SECOND, a_request, succeeded


def mailing(**fields):
    """Return an application with a job that notes its calls, driven by hand."""
    clock = FakeClock()
    app = an_app(clock=clock, **fields)
    calls = []

    @app.job(queue="mail")
    def send(number: int) -> None:
        calls.append((number, clock.now()))

    return app, clock, calls


def test_all_under_a_limit_of_a_job_are_worked_one_after_the_other():  # R35
    app, clock, calls = mailing()
    app.limit(job="send", running=1)
    app.jobs["send"].enqueue_many([(number,) for number in range(20)])

    Driven(app, clock).settle_down()

    assert [number for number, _ in calls] == list(range(20))


def test_who_ends_takes_the_next_without_waiting_for_a_look():  # R35
    app, clock, calls = mailing()
    app.limit(job="send", running=1)
    app.jobs["send"].enqueue_many([(number,) for number in range(9)])
    process = Driven(app, clock)

    # The worker alone: nobody looks for places that are free.
    for _ in range(30):
        process.crew.worker.tick(clock.now())

    assert len(calls) == 9


def test_no_more_begin_in_a_window_than_a_rate_allows_and_each_window_is_used():  # R35
    app, clock, calls = mailing()
    app.limit(key="smtp", rate="3/1s")
    app.jobs["send"].using(key="smtp").enqueue_many([(number,) for number in range(10)])
    process = Driven(app, clock)

    process.settle_down()
    began = [len(calls)]
    while len(calls) < 10:
        process.advance(SECOND)
        began.append(len(calls))

    assert began == [3, 6, 9, 10]


def test_the_limiter_comes_back_when_the_next_window_opens():  # R35
    app, clock, calls = mailing()
    app.limit(queue="mail", rate="1/400ms")
    app.jobs["send"].enqueue_many([(1,), (2,)])
    process = Driven(app, clock)
    process.settle_down()
    limiter = process.crew.limiter

    clock.tick(timedelta(milliseconds=100))
    wait = limiter.tick(clock.now())

    assert len(calls) == 1
    assert wait == timedelta(milliseconds=300)


def test_a_place_that_opens_wakes_the_worker():  # R35
    app, clock, _ = mailing()
    app.limit(queue="mail", rate="1/1s")
    app.jobs["send"].enqueue_many([(1,), (2,)])
    process = Driven(app, clock)
    process.settle_down()
    process.crew.worker.wake.clear()

    process.crew.limiter.tick(clock.now())
    was_woken = process.crew.worker.wake.is_set()
    process.crew.limiter.tick(clock.tick(SECOND) or clock.now())

    assert not was_woken
    assert process.crew.worker.wake.is_set()


def test_an_operators_limit_takes_the_place_of_the_codes_until_it_is_dropped():  # R35, R5
    app, clock, calls = mailing()
    app.limit(job="send", rate="1/1h")
    app.jobs["send"].enqueue_many([(number,) for number in range(6)])
    process = Driven(app, clock)
    process.settle_down()
    assert len(calls) == 1

    app.limits.set("job", "send", rate="4/1h", reason="the provider allows more", actor="cli:ana")
    process.settle_down()
    assert len(calls) == 4
    app.limits.drop("job", "send", reason="no longer")
    process.settle_down()
    assert len(calls) == 4

    app.limits.set("job", "send", reason="lift it")
    process.settle_down()
    assert len(calls) == 6


def test_what_operators_do_to_limits_is_in_the_audit():
    app, *_ = mailing()

    app.limits.set("tenant", "*", running=2, rate="5/1s", reason="a busy day", actor="cli:ana")
    app.limits.drop("tenant", "*")

    entries = app.store.audit(AuditQuery())
    assert [(one.action, one.target) for one in entries] == [("limit.drop", "tenant:*"), ("limit.set", "tenant:*")]
    assert (entries[1].actor, entries[1].reason) == ("ana", "a busy day")
    assert "2 running, 5/1s" in entries[1].detail


def test_settings_win_over_the_code():  # R35
    settings = load(None, env={"ROTA_LIMITS__JOB": "send:2/1h"})
    app, clock, calls = mailing(settings=settings)
    app.limit(job="send", running=1)
    app.jobs["send"].enqueue_many([(number,) for number in range(6)])

    Driven(app, clock).settle_down()

    assert len(calls) == 2


def test_a_run_counts_for_the_host_of_its_tenants_database():  # R35
    tenants = [Tenant(id="acme", url="postgresql://u:p@DB1/acme"), Tenant(id="globex", url="postgresql://u:p@db2/x")]
    app, clock, calls = mailing(tenants=tenants)
    app.limit(host="*", rate="1/1h")
    for tenant in ("acme", "acme", "globex"):
        app.jobs["send"].using(tenant=tenant).enqueue(1)

    Driven(app, clock).settle_down()

    assert [run.host for run in runs_of(app)] == ["db1", "db1", "db2"]
    assert len(calls) == 2


def test_the_runs_of_a_round_count_for_the_hosts_of_their_tenants():  # R35
    clock = FakeClock()
    app = an_app(clock=clock, tenants=[Tenant(id="acme", url="postgresql://u:p@db1/acme")])

    @app.job(per_tenant=True)
    def report() -> None: ...

    app.start_run("report")
    Driven(app, clock).settle_down()

    assert [run.host for run in runs_of(app)] == ["db1"]


def test_a_pass_works_off_what_stood_aside_before_it_began():  # R35, R60
    app, clock, calls = mailing()
    app.limit(job="send", running=1)
    app.jobs["send"].enqueue_many([(number,) for number in range(5)])
    [first] = app.store.claim(a_request(queues={"mail": 9}, limits=app.limits.holding()), now=clock.now())
    app.store.settle([succeeded(first)], now=clock.now())
    assert {run.limited_by for run in runs_of(app, states=(State.SCHEDULED,))} == {"job:send"}

    app.tick(limit=timedelta(seconds=20))

    assert [number for number, _ in calls] == [1, 2, 3, 4]
    assert {run.state for run in runs_of(app)} == {State.SUCCEEDED}


def test_what_stands_aside_of_a_paused_tenant_leaves_the_place_to_others():  # R12, R35
    app, clock, calls = mailing()
    app.limit(job="send", rate="1/1s")
    process = Driven(app, clock)
    for tenant in ("acme", "acme", "acme", "globex"):
        app.jobs["send"].using(tenant=tenant).enqueue(len(tenant))
    process.settle_down()
    app.pauses.pause(Paused.TENANT, "acme", reason="migration")

    process.advance(SECOND)

    assert [number for number, _ in calls] == [4, 6]


# --- bad input ---


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"running": 1}, "name one of job, queue, tenant, key and host"),
        ({"job": "send", "queue": "mail", "running": 1}, "name one of"),
        ({"tenant": "*"}, "say running=, rate= or both"),
        ({"job": "send", "running": 0}, "limit job 'send': running=0, it must be at least 1"),
        ({"job": "send", "running": -3}, "running=-3"),
        ({"job": "send", "running": "5"}, "running='5'"),
        ({"job": "send", "rate": 5}, "rate=5: write how many in what time"),
        ({"job": len, "running": 5}, "name what is limited"),
        ({"job": "send", "rate": "often"}, "rate='often': write how many in what time"),
        ({"job": "send", "rate": "0/1s"}, "at least one"),
        ({"job": "send", "rate": "5/0s"}, "rate='5/0s'"),
        ({"job": "send", "rate": "5/90d"}, "in at most 31d"),
        ({"key": " ", "running": 1}, "name what is limited"),
        ({"key": "k" * 256, "running": 1}, "in at most 255 characters"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused_where_it_is_declared(fields, said):  # R35
    app, *_ = mailing()

    with pytest.raises(ConfigurationError) as refused:
        app.limit(**fields)

    assert said in str(refused.value)


def test_a_limit_is_declared_once():
    app, *_ = mailing()
    app.limit(job="send", running=1)

    with pytest.raises(ConfigurationError, match="declared already, as 1 running"):
        app.limit(job="send", rate="1/s")


def test_a_limit_on_a_job_or_a_queue_that_nobody_uses_is_refused_before_work_begins():  # R35, R64
    app, *_ = mailing()
    app.limit(job="sned", running=1)
    with pytest.raises(JobNotFound, match="did you mean 'send'"):
        app.crew()

    app, *_ = mailing()
    app.limit(queue="mial", running=1)
    with pytest.raises(QueueNotFound, match="limit queue 'mial': no queue 'mial'; did you mean 'mail'"):
        app.crew()


def test_operators_cannot_limit_what_is_not_there():  # R64
    app, *_ = mailing()

    with pytest.raises(JobNotFound):
        app.limits.set("job", "sned", running=1, reason="r")
    with pytest.raises(QueueNotFound):
        app.limits.set("queue", "mial", running=1, reason="r")
    with pytest.raises(TenantNotFound):
        app.limits.set("tenant", "acmee", running=1, reason="r")
    with pytest.raises(ConfigurationError, match="needs a reason"):
        app.limits.set("job", "send", running=1, reason=" ")
    with pytest.raises(Refused, match="was not set by anybody"):
        app.limits.drop("job", "send")
    assert app.store.controls() == []


@pytest.mark.parametrize("text", ["", "many", "5 6", "1/s 2/s", "0", "5 0/s", "-1"])
def test_a_limit_in_the_settings_that_makes_no_sense_is_refused_with_its_name(text):
    with pytest.raises(ConfigurationError, match=r"send|rate"):
        load(None, env={"ROTA_LIMITS__JOB": f'{{"send": "{text}"}}'}).check()


def test_limits_in_the_settings_are_read_as_they_are_written():
    settings = load(None, env={"ROTA_LIMITS__TENANT": '{"*": "2", "big": "none"}', "ROTA_LIMITS__KEY": "smtp:9 10/1s"})

    assert [(limit.known_as, limit.said) for limit in settings.limits.read()] == [
        ("tenant:*", "2 running"),
        ("tenant:big", "no limit"),
        ("key:smtp", "9 running, 10/1s"),
    ]
    assert Settings().limits.read() == []
