"""What a type checker must see in calls of jobs. Read by mypy, never run.

Each `type: ignore` names an error that has to be there: one that is not needed is an error itself.
"""

from datetime import timedelta
from typing import assert_type

from rota import Registry, Rota, RunContext, RunHandle

app = Rota("memory://")


@app.job(queue="mail", timeout="5m")
def send_welcome(user_id: int, *, language: str = "en") -> str:
    return f"{user_id} {language}"


@app.job(per_tenant=True)
def report(ctx: RunContext, rows: int) -> dict[str, int]:
    return {"rows": rows}


@Registry().job()
def tidy() -> None: ...


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


async def right_in_a_coroutine() -> None:
    assert_type(await send_welcome.aenqueue(7), RunHandle)


def wrong(ctx: RunContext) -> None:
    send_welcome.enqueue("seven")  # type: ignore[arg-type]
    send_welcome.enqueue()  # type: ignore[call-arg]
    send_welcome.enqueue(7, colour="red")  # type: ignore[call-arg]
    send_welcome.using(priority=1).enqueue(7, language=3)  # type: ignore[arg-type]
    report(3)  # type: ignore[call-arg, arg-type]
    report.enqueue(ctx, 3)  # type: ignore[call-arg, arg-type]
    tidy.enqueue(1)  # type: ignore[call-arg]
