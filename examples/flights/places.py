"""Where the example keeps things, and how an environment variable changes it."""

import os
from pathlib import Path

from sqlalchemy import URL, make_url

HERE = Path(__file__).parent
DOWNLOADS = HERE / "data"
WORK = Path(os.environ.get("FLIGHTS_WORK", HERE / "built"))
"""Everything that is built; may be deleted at any time."""

STORE = os.environ.get("FLIGHTS_STORE", f"sqlite:///{WORK / 'rota.db'}")
"""The store of Rota: runs, rounds, progress."""

DATABASES = make_url(os.environ.get("FLIGHTS_DATABASES", f"sqlite:///{WORK / 'airlines'}"))
"""A directory of SQLite files, or a PostgreSQL or MySQL server; each airline has a database there."""

FOREIGN = ("ROTA_APP", "ROTA_CONFIG", "ROTA_PROFILE", "ROTA_STORE", "ROTA_STORE__URL", "ROTA_STORE_FILE",
           "ROTA_STORE__URL_FILE")  # fmt: skip


def environment(**defaults: str) -> dict[str, str]:
    """Return the environment over `defaults`, without what points to another application or its store.

    Who has ROTA_STORE set for their own work does not want 5,840 runs of flights in it.
    """
    return defaults | {name: value for name, value in os.environ.items() if name not in FOREIGN}


def database_of(carrier: str, at: URL = DATABASES) -> URL:
    """Return the URL of an airline's own database: the file `AA.db`, or `flights_aa` on a server."""
    if at.get_backend_name() == "sqlite":
        return at.set(database=str(Path(at.database or "") / f"{carrier}.db"))
    return at.set(database=f"flights_{carrier.lower()}")


def clear(place: Path = WORK) -> None:
    """Make the folder, without a store in it. Deletes nothing else: the variable may name any folder."""
    place.mkdir(parents=True, exist_ok=True)
    for file in place.glob("rota.db*"):
        file.unlink()
