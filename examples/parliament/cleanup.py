"""Removes what nobody needs any more: a little at a time, and never longer than it may."""

import os
from multiprocessing.synchronize import Event

from sqlalchemy import delete, func, select

from examples.parliament.database import embeddings, engine
from examples.parliament.results import ScraperResult

BATCH = 100
PAUSE_S = float(os.environ.get("PARLIAMENT_PAUSE", "0.1"))


def clean_up_embeddings(stop_event: Event) -> ScraperResult:
    """Delete all embeddings of a meeting but the newest. Stopped in between, the next one goes on."""
    newest = select(func.max(embeddings.c.id)).group_by(embeddings.c.meeting_id)
    outdated = select(embeddings.c.id).where(embeddings.c.id.not_in(newest)).limit(BATCH)
    removed = 0
    while not stop_event.is_set():
        with engine.begin() as db:
            ids = db.scalars(outdated).all()
            db.execute(delete(embeddings).where(embeddings.c.id.in_(ids)))
        removed += len(ids)
        if len(ids) < BATCH:
            return ScraperResult(True, None, lines_processed=removed)
        # Others want to write, too. It returns at once when the job is told to stop.
        stop_event.wait(PAUSE_S)
    return ScraperResult(False, Exception("Job stopped"), lines_processed=removed)
