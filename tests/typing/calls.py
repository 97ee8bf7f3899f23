"""What a type checker must see in calls of jobs. Read by mypy, never run.

Each `type: ignore` names an error that has to be there: one that is not needed is an error itself.
"""

from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, assert_type

from rota import FlowHandle, Registry, Rota, RunContext, RunHandle, Step

app = Rota("memory://")


@app.job(queue="mail", timeout="5m")
def send_welcome(user_id: int, *, language: str = "en") -> str:
    return f"{user_id} {language}"


@app.job(per_tenant=True)
def report(ctx: RunContext, rows: int) -> dict[str, int]:
    return {"rows": rows}


@Registry().job()
def tidy() -> None: ...


@app.job(executor="process", max_memory="512MB", max_cpu="10m")
def count(rows: int) -> int:
    return rows


@app.job()
async def fetch(url: str) -> bytes:
    return url.encode()


@app.job()
async def fetch_for(ctx: RunContext, url: str) -> bytes:
    return url.encode()


class Cleanup:
    def run(self, days: int = 30) -> int:
        return days


class Sweep:
    async def run(self, ctx: RunContext, days: int) -> int:
        return days


# Written as a decorator, mypy sees the class unchanged: it takes no notice of what a decorator makes of a class.
cleanup = app.job()(Cleanup)
sweep = app.job()(Sweep)


def right(ctx: RunContext) -> None:
    assert_type(send_welcome(7), str)
    assert_type(send_welcome.enqueue(7), RunHandle)
    assert_type(send_welcome.enqueue(7, language="fr"), RunHandle)
    assert_type(send_welcome.using(tenant="acme", delay=timedelta(minutes=5)).enqueue(user_id=7), RunHandle)
    assert_type(send_welcome.enqueue_many([(1,), (2,)]), list[RunHandle])
    assert_type(report(ctx, 3), dict[str, int])
    # Rota gives the context: it is not asked for.
    assert_type(report.enqueue(3), RunHandle)
    tidy.enqueue()
    assert_type(count(3), int)
    assert_type(cleanup(days=3), int)
    assert_type(cleanup.enqueue(3), RunHandle)
    assert_type(cleanup.using(priority=1).enqueue(), RunHandle)
    assert_type(sweep.enqueue(3), RunHandle)
    assert_type(fetch.enqueue("a"), RunHandle)
    assert_type(fetch_for.enqueue("a"), RunHandle)
    # With all arguments, or without the first one: that is what comes before it in a flow.
    assert_type(send_welcome.step(7, language="fr"), Step)
    assert_type(send_welcome.step(language="fr"), Step)
    assert_type(report.using(tenant="acme").step(), Step)
    assert_type(app.chain(count.step(3), send_welcome.step()).enqueue(), FlowHandle)
    assert_type(app.batch(report.step(3).for_tenants(["acme"]), on_complete=tidy.step()).enqueue(), FlowHandle)


async def right_in_a_coroutine() -> None:
    assert_type(await send_welcome.aenqueue(7), RunHandle)
    await assert_type(fetch("a"), Coroutine[Any, Any, bytes])
    assert_type(await fetch("a"), bytes)


async def right_with_a_context(ctx: RunContext) -> None:
    assert_type(await fetch_for(ctx, "a"), bytes)
    assert_type(await sweep(ctx, 3), int)


def wrong(ctx: RunContext) -> None:
    send_welcome.enqueue("seven")  # type: ignore[arg-type]
    send_welcome.enqueue()  # type: ignore[call-arg]
    send_welcome.enqueue(7, colour="red")  # type: ignore[call-arg]
    send_welcome.using(priority=1).enqueue(7, language=3)  # type: ignore[arg-type]
    report(3)  # type: ignore[call-arg, arg-type]
    report.enqueue(ctx, 3)  # type: ignore[call-arg, arg-type]
    tidy.enqueue(1)  # type: ignore[call-arg]
    cleanup.enqueue("thirty")  # type: ignore[arg-type]
    sweep.enqueue(ctx, 3)  # type: ignore[call-arg, arg-type]
    fetch.enqueue(1)  # type: ignore[arg-type]
    send_welcome.step("seven", 3)  # type: ignore[call-overload]
    send_welcome.step(colour="red")  # type: ignore[call-overload]
    app.chain(count)  # type: ignore[arg-type]
