"""What is asked about what runs printed and logged."""

import logging
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from rota.core.access import Capability
from rota.errors import BadRequest
from rota.operations.operation import Desk, Question, operation
from rota.views.logs import LogPage, Place, log_page, severity


class Level(StrEnum):
    """How severe a line is."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class LogAsked(Question, frozen=True, kw_only=True):
    """Which part of which log."""

    id: str
    """The id of the run, or the beginning of it: six digits or more, if only one has it."""
    after: str | None = None
    """What `next` of the page before said; without it from the beginning."""
    level: Level | None = None
    """Only lines at least as severe."""
    chunks: Annotated[int, Meta(ge=1, le=200)] = 50
    """How many pieces are read at most, of 64 KiB each."""


@operation("GET", "/api/v1/runs/{id}/log", needs=Capability.READ)
def read_log(desk: Desk, asked: LogAsked) -> LogPage:
    """Read what a run printed and logged, oldest first, page by page.

    To follow a run, ask again with `after` until its state is final and some seconds have passed: its worker writes
    once a second.
    """
    try:
        place = None if asked.after is None else Place.read(asked.after)
    except ValueError:
        raise BadRequest("after", "this is not what `next` said") from None
    least = logging.NOTSET if asked.level is None else severity(asked.level)
    return log_page(desk.app, asked.id, after=place, least=least, chunks=asked.chunks)
