"""A small application as users have it: jobs of its own, on a store that the tests cannot reach."""

from datetime import timedelta

from rota import Retry, Rota, RunContext, every


class Shop:
    """Jobs, and what they did."""

    def __init__(self) -> None:
        self.done: list[object] = []
        self.fails: bool = True
        self.app = app = Rota("postgresql://nobody@127.0.0.1:1/nothing", tenants=["acme", "globex"])
        done = self.done

        @app.job()
        def send(user_id: int, name: str = "Ana") -> int:
            done.append(("send", user_id))
            return user_id

        @app.job(retry=Retry(attempts=3, base=timedelta(minutes=1), jitter=False))
        def flaky() -> str:
            done.append("flaky")
            if self.fails:
                raise ValueError("busy")
            return "sent"

        @app.job(schedule=every(10).minutes, per_tenant=True)
        def report(ctx: RunContext) -> None:
            done.append(("report", ctx.tenant.id, ctx.slot))

        @app.job(per_tenant=True, retry=Retry(attempts=1))
        def sync(ctx: RunContext) -> str:
            return ctx.tenant.database_name

        self.send, self.flaky, self.report, self.sync = send, flaky, report, sync
