"""A site with a Celery fleet for each of two brokers, for all tests that need one."""

from contextlib import ExitStack
from datetime import timedelta

import pytest

from tests.integrations.celery.site import FleetSite
from tests.system.processes import wait_until

JOBS = """
# Before the pool forks: no process may use the connection of another.
app.store.now()

@app.job(executor="celery", per_tenant=True, timeout="1m")
def visit(ctx: RunContext, seconds: float) -> dict[str, object]:
    note(event="start", run=ctx.run_id, token=ctx.token)
    with alone(ctx.run_id):
        print("printed by", ctx.tenant.id)
        ctx.progress(1, 2)
        ctx.sleep(seconds)
    note(event="end", run=ctx.run_id)
    return {"tenant": ctx.tenant.id}


@app.job(executor="celery", retry=Retry.fixed("10ms", attempts=2))
def fails(ctx: RunContext) -> None:
    raise ValueError("not today")


@app.job(executor="celery", timeout="500ms", retry=Retry(attempts=1))
def stuck(ctx: RunContext) -> None:
    note(event="start", run=ctx.run_id)
    while True:
        time.sleep(0.05)


@app.job(executor="celery", timeout="1m", retry=Retry(attempts=1))
def dies_once(ctx: RunContext) -> str:
    note(event="start", run=ctx.run_id)
    if ctx.run.lost_count == 0:
        time.sleep(60)
    return "came back"
"""

TASKS = """
from rota.integrations.celery import calling


@celery.task(name="app.double")
def double(number, agency):
    note(event="task", number=number)
    return {"doubled": 2 * number, "agency": agency}


@celery.task(name="app.breaks")
def breaks():
    raise ValueError("not today")


@celery.task(name="app.slow")
def slow():
    note(event="slow")
    time.sleep(60)


call_double = app.job(per_tenant=True)(calling(double, tenant="agency", every="20ms"))
call_breaks = app.job(retry=Retry.fixed("10ms", attempts=2))(calling(breaks, every="20ms"))
call_slow = app.job(timeout="1m", retry=Retry(attempts=1))(calling(slow, every="20ms", terminate=True))
"""


@pytest.fixture(scope="session", params=["redis", "rabbitmq"])
def broker(request):
    server = request.getfixturevalue(f"{request.param}_server")
    return server.create_database() if request.param == "redis" else server.admin_url


@pytest.fixture(scope="session")
def site(broker, tmp_path_factory):
    """Rota at work for a while before there is anybody to carry anything out, and then a Celery worker."""
    # RabbitMQ keeps no results.
    backend = broker if broker.startswith("redis") else None
    jobs = JOBS if backend is None else JOBS + TASKS
    site = FleetSite(tmp_path_factory.mktemp("fleet"), broker=broker, backend=backend, jobs=jobs)
    with ExitStack() as held:
        held.callback(site.app.close)
        with site.app.working():
            site.forgotten = site.module.visit.using(tenant="acme").enqueue(0).id
            assert site.purge()
            site.celery = held.enter_context(site.celery_worker())
            wait_until(
                lambda: len(site.run(site.forgotten).attempts) and site.run(site.forgotten).attempts[0].outcome,
                what="the end of its patience",
            )
        # On a machine with much to do, a message may take longer than that.
        site.module.fleet.patience = timedelta(minutes=1)
        held.enter_context(site.app.working())
        yield site
