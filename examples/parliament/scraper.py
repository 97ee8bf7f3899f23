"""Reads the pages of the parliament: in a process of its own, for a page may take for ever."""

import json
import os
from datetime import date
from multiprocessing.synchronize import Event
from urllib.error import HTTPError
from urllib.request import urlopen

from sqlalchemy import Connection, insert, select, update

from examples.parliament.database import embeddings, engine, meetings
from examples.parliament.results import ScraperResult

SITE = os.environ.get("PARLIAMENT_SITE", "http://127.0.0.1:8001")


def scrape_mep_meetings(stop_event: Event) -> ScraperResult:
    """Read the meetings of all members, and keep what is new or has changed."""
    added = processed = 0
    try:
        pages = json.loads(_read("/meetings"))
        for page in pages:
            if stop_event.is_set():
                return ScraperResult(False, Exception("Job stopped"), added, processed)
            told = json.loads(_read(page))
            # One page, one transaction: what was read stays, whatever comes of the next one.
            with engine.begin() as db:
                added += _keep(db, page, told)
            processed += 1
    except (OSError, ValueError) as error:
        # What the site does wrong, and how far it came. What is our own fault is raised: Rota records that as well.
        return ScraperResult(False, error, added, processed)
    return ScraperResult(True, None, added, processed)


def _read(page: str) -> bytes:
    # It is for each wait, not for the whole: a page that comes byte by byte is a matter of the job's time limit.
    try:
        with urlopen(SITE + page, timeout=30) as answer:
            text: bytes = answer.read()
            return text
    except HTTPError as refused:
        # It is an answer as well, with a connection to close.
        refused.close()
        raise


def _keep(db: Connection, page: str, told: dict[str, str]) -> int:
    """Write a meeting down; return how many lines that added or changed."""
    values = {"title": told["title"], "held_on": date.fromisoformat(told["date"])}
    known = db.execute(select(meetings).where(meetings.c.page == page)).one_or_none()
    if known is None:
        db.execute(insert(meetings).values(page=page, **values))
    elif (known.title, known.held_on) != (values["title"], values["held_on"]):
        db.execute(update(meetings).where(meetings.c.page == page).values(**values))
    else:
        return 0
    meeting_id = select(meetings.c.id).where(meetings.c.page == page).scalar_subquery()
    db.execute(insert(embeddings).values(meeting_id=meeting_id, title=told["title"]))
    return 1
