"""Runs as they are searched for on the command line: `--where 'state:failed -tenant:acme since:2d'`."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import click

from rota.cli.progress import progress
from rota.cli.session import Session
from rota.core.counting import counted
from rota.core.model import Run, State
from rota.core.search import Search
from rota.core.times import parse_time
from rota.queries import RunQuery
from rota.views.chosen import chosen
from rota.views.search import Hits, all_hits, read

BATCH = 500
"""Runs that are changed in one transaction."""

EVERYTHING = RunQuery()


def where_option(text: str) -> Callable[[Any], Any]:
    """Return the option `--where`, which may be repeated: all have to hold."""
    return click.option("--where", multiple=True, metavar="SEARCH", help=text)


def searched(session: Session, where: Sequence[str]) -> Search:
    """Return what the texts after --where look for, together.

    Raises:
        BadSearch: a term cannot be read.
        TenantNotFound: a tag that no tenant has.
    """
    app, now = session.app, session.app.clock.now()

    def instant(text: str) -> datetime:
        return parse_time(text, now=now, zone=session.zone)

    return read(app, " ".join(where), instant=instant, tenants=lambda tag: chosen(app, [tag]) or [])


def warn_if_cut(session: Session, hits: Hits) -> None:
    """Say that older runs were not looked at, where that is so."""
    if hits.cut_after is not None:
        looked_at = f"looked at the newest {hits.cut_after:,} runs only"
        session.out.warn(f"{looked_at}: narrow the search, or say since when, such as since:30d")


def snapshot(session: Session, where: Sequence[str], *, states: Sequence[State]) -> list[Run]:
    """Return the runs that a search means now and that are in one of these states, where it names none itself."""
    search = searched(session, where)
    base = EVERYTHING if search.named("state") else RunQuery(states=tuple(states))
    hits = all_hits(session.app, search, base=base)
    warn_if_cut(session, hits)
    return hits.runs


def said(session: Session, runs: Sequence[Run], where: Sequence[str]) -> str:
    """Return how many runs a search means, and as of when."""
    return f"{counted(len(runs), 'run')} matching {' '.join(where)!r} as of {session.shown(session.app.clock.now())}"


def in_batches(
    session: Session, runs: Sequence[Run], *, title: str, act: Callable[[list[str]], list[str]]
) -> list[str]:
    """Do something to runs batch by batch, with a bar, and return the ids of those that it was done to."""
    done: list[str] = []
    with progress(session, title, monotonic=session.app.clock.monotonic) as report:
        for start in range(0, len(runs), BATCH):
            done += act([run.id for run in runs[start : start + BATCH]])
            report(min(start + BATCH, len(runs)), len(runs), 0)
    return done
