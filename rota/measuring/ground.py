"""The store that is measured: tables of its own, dropped afterwards."""

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

from msgspec import Struct

from rota.errors import ConfigurationError
from rota.ports import Store
from rota.redaction import redacted
from rota.stores import open_store

PREFIX = "rota_bench_"


class Ground(Struct, frozen=True, kw_only=True):
    """A store, and the prefix of the tables, or keys, that are made for one measurement and nobody else's."""

    url: str
    prefix: str

    def open(self) -> Store:
        """Return the store, as a process of its own would open it."""
        return open_store(self.url, table_prefix=self.prefix)


@runtime_checkable
class Erasable(Protocol):
    """A store that other processes see, and whose tables can be taken away again."""

    def erase(self) -> None: ...


@contextmanager
def ground(url: str | None) -> Iterator[Ground]:
    """Yield a ground in the store at this URL, or in a SQLite file of its own, and leave nothing of it behind.

    What was there is neither read nor written: the prefix has six random digits.

    Raises:
        ConfigurationError: worker processes could not see this store.
        StoreUnavailable: it cannot be reached.
    """
    if url is None:
        folder = tempfile.TemporaryDirectory(prefix="rota-bench-")
        with folder as path, ground(f"sqlite:///{Path(path) / 'rota.db'}") as made:
            yield made
        return
    made = Ground(url=url, prefix=f"{PREFIX}{secrets.token_hex(3)}_")
    store = made.open()
    if not isinstance(store, Erasable):
        raise ConfigurationError(
            f"{redacted(url)} cannot be measured: worker processes do not see it. Without --store it is a SQLite file"
        )
    try:
        store.setup()
        yield made
    finally:
        store.erase()
        store.close()
