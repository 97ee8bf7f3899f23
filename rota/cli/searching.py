"""Runs as they are searched for on the command line: `--where 'state:failed -tenant:acme since:2d'`."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import click

from rota.cli.progress import progress
from rota.cli.session import Session
from rota.core.counting import counted
from rota.core.search import Search
from rota.core.times import parse_time
from rota.operations.run_changes import BATCH, Changed
from rota.views.chosen import chosen
from rota.views.search import read


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


def said(session: Session, meant: Changed, where: Sequence[str]) -> str:
    """Return how many runs a search means, and as of when."""
    return f"{counted(len(meant.meant), 'run')} matching {' '.join(where)!r} as of {session.shown(meant.as_of)}"


def in_batches(
    session: Session, ids: Sequence[str], *, title: str, act: Callable[[tuple[str, ...]], Changed]
) -> list[str]:
    """Do something to runs batch by batch, with a bar, and return the ids of those that it was done to."""
    done: list[str] = []
    with progress(session, title, monotonic=session.clock.monotonic) as report:
        for start in range(0, len(ids), BATCH):
            done += act(tuple(ids[start : start + BATCH])).done
            report(min(start + BATCH, len(ids)), len(ids), 0)
    return done
