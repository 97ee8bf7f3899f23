"""What a `MemoryStore` keeps for alerts."""

import threading


class MemoryAlerts:
    """What went wrong until it is over, and what is to be told of it. What a verb promises stands in `AlertStore`."""

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
