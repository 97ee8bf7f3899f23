"""What a `MemoryStore` keeps for the watchdog."""

import threading

from rota.stores.memory_progress import ProgressBook


class MemoryFreshness:
    """By when each schedule must have succeeded for each tenant. What a verb promises stands in `FreshnessStore`."""

    def __init__(self, lock: threading.RLock, progress: ProgressBook) -> None:
        self._lock = lock
        self._progress = progress
