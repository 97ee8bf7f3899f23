"""On what host a database is, as its URL says."""

import re

# As SQLAlchemy reads one: whatever stands before the last part of the authority is user and password.
_URL = re.compile(r"[\w+]+://(?:[^:/]*(?::[^@]*)?@)?(?:\[(?P<v6>[^\]/?]+)\]|(?P<name>[^/:?]+))?")
_IN_QUERY = re.compile(r"[?&]host=([^&#]+)")


def host_of(url: str | None) -> str | None:
    """Return the host in the URL of a database; None without one: a SQLite file, or what is no URL.

    `?host=`, as for several PostgreSQL servers, counts as one host of that name.
    """
    found = _URL.match(url or "")
    if found is None or (url or "").startswith("sqlite"):
        return None
    in_query = _IN_QUERY.search(url or "")
    host = found["v6"] or found["name"] or (in_query[1] if in_query else None)
    return host.lower() if host else None
