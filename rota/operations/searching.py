"""Runs as they are searched for from outside: `state:failed -tenant:acme since:2d`."""

from datetime import datetime
from zoneinfo import ZoneInfo

from rota.app import Rota
from rota.core.search import Search
from rota.core.times import parse_time
from rota.errors import BadRequest
from rota.views.chosen import chosen
from rota.views.search import Hits, read


def zone_of(name: str) -> ZoneInfo:
    """Return the zone of this name.

    Raises:
        BadRequest: there is none.
    """
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        raise BadRequest("zone", f"{name!r} is no time zone, such as Europe/Paris") from None


def searched(app: Rota, text: str, *, zone: str) -> Search:
    """Return what a text looks for, with its times in this zone.

    Raises:
        BadSearch: a term cannot be read.
        TenantNotFound: a tag that no tenant has.
    """
    now, place = app.clock.now(), zone_of(zone)

    def instant(written: str) -> datetime:
        return parse_time(written, now=now, zone=place)

    return read(app, text, instant=instant, tenants=lambda tag: chosen(app, [tag]) or [])


def cut_warnings(hits: Hits, *, is_first: bool = True) -> list[str]:
    """Say that older runs were not looked at, where that is so; `is_first`: it is the first page of its list."""
    if hits.cut_after is None:
        return []
    looked_at = f"looked at the {'newest' if is_first else 'next'} {hits.cut_after:,} runs only"
    return [f"{looked_at}: narrow the search, or say since when, such as since:30d"]
