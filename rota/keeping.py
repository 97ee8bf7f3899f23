"""Where an application keeps its runs: the store at its URL, opened once, or what stands in for it in a test."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rota.clock import Clock
from rota.inline import inline_worker
from rota.ports import Store
from rota.redaction import keep_secrets_of
from rota.settings import Migrate, Settings
from rota.stores import open_store


class Keeping:
    """Opens the store at the first question to it."""

    def __init__(
        self, store: str | Store | Callable[[], str] | None, *, settings: Callable[[], Settings], clock: Clock
    ) -> None:
        self._url = store if isinstance(store, str) or callable(store) else None
        self._given = None if isinstance(store, str) or callable(store) else store
        self._settings = settings
        self._clock = clock
        self._one_opens = threading.Lock()
        self.opened: Store | None = self._given
        """The store, where there is one already."""
        self.is_inline: bool = False
        self.is_replaced: bool = False
        """Whether a test keeps runs in a store of its own, and works them off itself."""
        """Whether this process executes what it enqueues: then it keeps it in memory, whatever the URL."""

    @property
    def url(self) -> str:
        """The URL that the store is opened with; a setting that was set wins."""
        settings = self._settings()
        if self._url is None or settings.origin("store.url") != "default":
            return settings.store.url
        return self._url if isinstance(self._url, str) else self._url()

    @property
    def secret(self) -> str:
        """The URL that child processes must not see; empty where the store was given as an object, or is asked of the
        application, which connects to that database itself wherever its code runs."""
        is_theirs = callable(self._url) and self._settings().origin("store.url") == "default"
        return "" if self._given is not None or is_theirs else self.url

    def store(self) -> Store:
        """Return the store, opened and checked; see `Rota.store`."""
        if self.opened is None:
            # Threads of a web application ask at once: of two memory stores one would be forgotten with its runs.
            with self._one_opens:
                if self.opened is None:
                    store = self.open()
                    self._prepare(store)
                    self.opened = store
        return self.opened

    def open(self) -> Store:
        """Return the store as it is, unchecked."""
        if self._given is not None:
            return self._given
        said = self._settings().store
        keep_secrets_of(self.url)
        url = "memory://" if self.is_inline and not self.url.startswith("blackhole:") else self.url
        return open_store(url, table_prefix=said.table_prefix, schema=said.schema or None, pool_size=said.pool_size)

    @contextmanager
    def replaced(self, store: Store) -> Iterator[None]:
        """Keep runs in another store for the time of the block."""
        before = self._given, self.opened, self.is_inline, self.is_replaced
        self._given, self.opened, self.is_inline, self.is_replaced = store, store, False, True
        try:
            yield
        finally:
            self._given, self.opened, self.is_inline, self.is_replaced = before

    def _prepare(self, store: Store) -> None:
        match self._settings().migrate(self.url):
            case Migrate.AUTO:
                store.setup()
                store.check()
            case Migrate.CHECK:
                store.check()
            case Migrate.OFF:
                pass
        if self.is_inline:
            store.register(inline_worker(now=store.now()))
        # From here on the store's clock is ours: what is fired or enqueued must not depend on this host's (D1, D4).
        self._clock.anchor(store.now())
