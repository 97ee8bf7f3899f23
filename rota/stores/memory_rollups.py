"""What a `MemoryStore` keeps for metrics."""

import threading


class MemoryRollups:
    """Sums of what ran. What a verb promises stands in `RollupStore`."""

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
