"""Rota in a FastAPI application: its lifespan, who asks, and a dependency that enqueues.

app = FastAPI(lifespan=lifespan(rota))

@app.post("/orders")
async def place_order(jobs: Jobs) -> Placed:
    run = await jobs.aenqueue(confirm, 7)
"""

from typing import Annotated, Any, ParamSpec

from rota.errors import MissingExtra
from rota.handle import RunHandle
from rota.integrations.starlette import ContextOf, RequestMiddleware, lifespan
from rota.job import JobFunction

try:
    from fastapi import Depends
except ImportError as error:
    raise MissingExtra("fastapi", needed_for="its integration") from error

__all__ = ["ContextOf", "Jobs", "RequestJobs", "RequestMiddleware", "lifespan", "request_jobs"]

Asked = ParamSpec("Asked")


class RequestJobs:
    """Queues runs for a request: at once, or within the transaction of its session. Who tests an endpoint overrides the
    dependency that gives it."""

    def __init__(self, session: object | None = None) -> None:
        """`session`: a Session or AsyncSession of SQLAlchemy. A run is there when its transaction commits, and never
        when it does not; of another database than the store's, it waits for the commit (R34)."""
        self._session = session

    async def aenqueue(self, job: JobFunction[Any, Asked, Any], *args: Asked.args, **kwargs: Asked.kwargs) -> RunHandle:
        """Queue a run of a job and return its handle; the event loop goes on meanwhile. See `JobFunction.enqueue`."""
        return await self._bound(job).aenqueue(*args, **kwargs)

    def enqueue(self, job: JobFunction[Any, Asked, Any], *args: Asked.args, **kwargs: Asked.kwargs) -> RunHandle:
        """The same for an endpoint that is a plain `def`."""
        return self._bound(job).enqueue(*args, **kwargs)

    def _bound(self, job: JobFunction[Any, Asked, Any]) -> JobFunction[Any, Asked, Any]:
        return job if self._session is None else job.using(connection=self._session)


async def request_jobs() -> RequestJobs:
    """The dependency behind `Jobs`: what a test overrides."""
    # A coroutine: FastAPI calls a plain function in a thread, which would cost more than it does.
    return RequestJobs()


Jobs = Annotated[RequestJobs, Depends(request_jobs)]
"""The annotation of a parameter through which an endpoint enqueues."""
