"""The log of a run as it comes: as server-sent events, or as one page that waits until there is something to say."""

from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus

import anyio
import msgspec
from anyio import to_thread
from msgspec import Struct
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from rota.app import Rota
from rota.core.access import Principal
from rota.core.safe import safe_text
from rota.errors import RotaError
from rota.exits import code_of
from rota.operations.addresses import EVENTS, FOLLOW
from rota.operations.logs import LogAsked, read_log
from rota.operations.operation import Desk
from rota.operations.wire import question
from rota.redaction import redacted, redacted_json
from rota.views.logs import LogPage
from rota.web.endpoint import DOOR, NO_STORE
from rota.web.gate import PRINCIPAL
from rota.web.problem import RETRY_AFTER_S, problem, problem_of

PATH = FOLLOW.path

POLL_S = 1.0
"""Seconds between two looks: a worker writes once a second."""
LAST_LOOKS = 3
"""How often it is looked again once the run is over: its worker writes the last lines after that."""
BEAT_S = 15.0
"""After so long without a word a comment is sent: whoever stands in between closes what is silent."""
WAIT_S = 20.0
"""How long a page waits for its first line."""
LONGEST_S = 600.0
"""After so long a stream ends, and whoever follows comes back: then it is looked again who he is."""
MOST_OPEN = 100
"""Streams and waiting pages at once in this process."""


class Look(Struct, frozen=True):
    """What one look at a log gave."""

    page: LogPage
    body: bytes
    """The page as JSON, without passwords."""


Looks = Callable[[LogAsked], Awaitable[Look]]


class LogStream:
    """Answers who follows the log of a run."""

    def __init__(self, app: Rota) -> None:
        self._app = app
        self._open = 0

    async def answer(self, request: Request) -> Response:
        """Send each line as it comes.

        Who accepts `text/event-stream` is sent events until the run is over: `lines` with a page of the log each,
        whose id is where to go on, then `end`. Anybody else gets one page, as soon as there is a line or the run is
        over, after 20 seconds at the latest; `next` in it is the `after` of the next question.
        """
        if self._open >= MOST_OPEN:
            detail = f"{MOST_OPEN} logs are followed here already: read it page by page at {read_log.path}"
            busy = problem(HTTPStatus.SERVICE_UNAVAILABLE, code="too_many_streams", detail=detail)
            busy.headers["Retry-After"] = str(RETRY_AFTER_S)
            return busy
        wants_events = EVENTS in request.headers.get("accept", "")
        if wants_events and "wsgi_environ" in request.scope:
            # A WSGI server would lose a thread to each stream.
            detail = "no stream is held open here: accept application/json, and ask again with `after`"
            return problem(HTTPStatus.NOT_ACCEPTABLE, code="no_stream", detail=detail)
        looks = self._looks(request.scope[PRINCIPAL])
        try:
            asked = _asked(request)
            first = await looks(asked)
            if not wants_events:
                return await self._page(first, asked, looks)
        except RotaError as error:
            return problem_of(error)
        return StreamingResponse(self._counted(_events(first, asked, looks)), media_type=EVENTS, headers=NO_STORE)

    def _looks(self, principal: Principal) -> Looks:
        def look(asked: LogAsked) -> Look:
            page = Desk(app=self._app.seen_by(principal), principal=principal, door=DOOR).ask(read_log, asked)
            return Look(page, redacted_json(page))

        async def looked(asked: LogAsked) -> Look:
            return await to_thread.run_sync(look, asked)

        return looked

    async def _page(self, found: Look, asked: LogAsked, looks: Looks) -> Response:
        self._open += 1
        try:
            until = anyio.current_time() + WAIT_S
            while not found.page.lines and not found.page.state.is_final and anyio.current_time() < until:
                if not found.page.has_more:
                    await anyio.sleep(POLL_S)
                asked = _after(found, asked)
                found = await looks(asked)
        finally:
            self._open -= 1
        return Response(found.body, media_type="application/json", headers=NO_STORE)

    async def _counted(self, events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        self._open += 1
        try:
            async for event in events:
                yield event
        finally:
            self._open -= 1


async def _events(found: Look, asked: LogAsked, looks: Looks) -> AsyncIterator[bytes]:
    began = spoke = anyio.current_time()
    last_looks = LAST_LOOKS
    while True:
        now = anyio.current_time()
        if found.page.lines:
            yield _event("lines", found.body, number=found.page.next)
            spoke = now
        elif now - spoke >= BEAT_S:
            yield b":\n\n"
            spoke = now
        if not found.page.has_more:
            if found.page.state.is_final:
                if last_looks == 0:
                    yield _event("end", msgspec.json.encode({"state": found.page.state}), number=found.page.next)
                    return
                last_looks -= 1
            if now - began >= LONGEST_S:
                return
            await anyio.sleep(POLL_S)
        asked = _after(found, asked)
        try:
            found = await looks(asked)
        except RotaError as error:
            told = {"code": code_of(error), "detail": safe_text(redacted(str(error)))}
            yield _event("problem", msgspec.json.encode(told))
            return


def _asked(request: Request) -> LogAsked:
    asked = question(read_log, path=request.path_params, query=request.query_params.multi_items(), body=None)
    # A browser that comes back says in this header what it had last.
    last = request.headers.get("last-event-id")
    return replace(asked, after=last) if last else asked


def _after(found: Look, asked: LogAsked) -> LogAsked:
    return replace(asked, id=found.page.run, after=found.page.next)


def _event(name: str, data: bytes, *, number: str | None = None) -> bytes:
    """Return one event. JSON has no line ends of its own in it, so it is one line of data."""
    identity = f"id: {number}\n" if number is not None else ""
    return f"{identity}event: {name}\ndata: ".encode() + data + b"\n\n"
