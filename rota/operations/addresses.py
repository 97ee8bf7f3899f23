"""Addresses that are no operations: a log as it comes, sessions, what watches a server. The document has them too."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from msgspec import Struct

from rota.core.access import Capability
from rota.core.model import State
from rota.operations.logs import read_log
from rota.operations.operation import Method, Operation
from rota.operations.who_asks import WhoAsks
from rota.views.logs import LogPage

JSON, TEXT, OPENMETRICS, EVENTS = "application/json", "text/plain", "application/openmetrics-text", "text/event-stream"


class Status(Struct, frozen=True, kw_only=True):
    """How a server stands."""

    status: str
    auth: str | None = None
    """`off` while everybody may do everything here."""
    why: str | None = None
    """Why it is not ready; told to those who may read."""


class LogEnd(Struct, frozen=True, kw_only=True):
    """The run is over, and its log is told to the end."""

    state: State


class LogTrouble(Struct, frozen=True, kw_only=True):
    """The log could not be read on: come back."""

    code: str
    detail: str


class Said(Struct, frozen=True, kw_only=True):
    """One form of an answer."""

    media: str = JSON
    kind: type[Struct] | None = None
    """Its fields; None is a text."""
    example: Any = None
    """Of a text."""


class Address(Struct, frozen=True, kw_only=True):
    """What is asked at a path, for the document."""

    method: Method
    path: str
    name: str
    noun: str
    text: str
    needs: Capability | None = None
    """None: whoever has a token."""
    is_open: bool = False
    """Whether everybody may ask."""
    asks_as: Operation[Any, Any] | None = None
    """The operation that has its parameters."""
    header: Mapping[str, Any] | None = None
    """A parameter that is a header."""
    answers: Mapping[HTTPStatus, tuple[Said, ...]]
    events: Mapping[str, type[Struct]] = {}
    """What is in the data of each event of a stream."""


LAST_EVENT = {
    "name": "Last-Event-ID",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "pattern": r"^\d{1,18}\.\d{1,9}\.\d{1,9}$"},
    "example": "1.4.0",
    "description": "The `id` of the last event: where to go on. A browser that comes back sends it by itself.",
}

PAGE = (
    '{"run":"01a227c8a31c7000a1da648b976b6128","job":"nightly_report","tenant":"acme","state":"running",'
    '"lines":[{"attempt":1,"token":1,"at":"2026-11-20T02:00:00Z","since_start_s":0.5,"level":"info",'
    '"source":"stdout","text":"500 rows","left_out":0}],"next":"1.4.0","has_more":false}'
)
LINES = f"""\
id: 1.4.0
event: lines
data: {PAGE}

id: 1.4.0
event: end
data: {{"state":"succeeded"}}

"""

FOLLOW = Address(
    method=Method.GET,
    path=f"{read_log.path}/stream",
    name="follow_log",
    noun="runs",
    text="""Send the log of a run as it comes.

    Who accepts `text/event-stream` is sent events until the run is over: `lines` with a page of the log each, whose id
    is where to go on, then `end`; or `problem`. After ten minutes it ends in any case: come back with `Last-Event-ID`.
    Anybody else gets one page, as soon as there is a line or the run is over, after 20 seconds at the latest; `next` in
    it is the `after` of the next question. 406: no stream is held open under WSGI. 503: a hundred logs are followed
    here already.
    """,
    needs=read_log.needs,
    asks_as=read_log,
    header=LAST_EVENT,
    answers={HTTPStatus.OK: (Said(kind=LogPage), Said(media=EVENTS, example=LINES))},
    events={"lines": LogPage, "end": LogEnd, "problem": LogTrouble},
)

SESSION = "/api/v1/session"

ADDRESSES = (
    FOLLOW,
    Address(
        method=Method.GET,
        path=SESSION,
        name="who_asks",
        noun="session",
        text="Say whom a request comes from, by its token or by the cookie of a session.",
        answers={HTTPStatus.OK: (Said(kind=WhoAsks),)},
    ),
    Address(
        method=Method.POST,
        path=SESSION,
        name="sign_in",
        noun="session",
        text="""Sign a browser in, with a token in the `Authorization` header.

        It goes on with a cookie that no script can read. What it changes then needs the header `X-Rota-CSRF` with the
        `csrf` of this answer. 409 where nobody signs in: `auth.sessions` is off.
        """,
        answers={HTTPStatus.OK: (Said(kind=WhoAsks),)},
    ),
    Address(
        method=Method.DELETE,
        path=SESSION,
        name="sign_out",
        noun="session",
        text="Sign a browser out: its cookie means nothing from then on.",
        answers={HTTPStatus.NO_CONTENT: ()},
    ),
    Address(
        method=Method.GET,
        path="/healthz",
        name="healthz",
        noun="server",
        text="Say that this process answers. It asks no store: for whoever restarts it.",
        is_open=True,
        answers={HTTPStatus.OK: (Said(kind=Status),)},
    ),
    Address(
        method=Method.GET,
        path="/readyz",
        name="readyz",
        noun="server",
        text="Say whether the store answers: for whoever sends it requests.",
        is_open=True,
        answers={status: (Said(kind=Status),) for status in (HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE)},
    ),
    Address(
        method=Method.GET,
        path="/metrics",
        name="metrics",
        noun="server",
        text="""Show all metrics as text, for Prometheus.

        By `Accept` also in the format of OpenMetrics 1.0. They are of all jobs and tenants, and refused to a token of
        only some.
        """,
        needs=Capability.READ,
        answers={
            HTTPStatus.OK: tuple(
                Said(media=kind, example='rota_runs{state="queued"} 3\n') for kind in (TEXT, OPENMETRICS)
            )
        },
    ),
)
