"""Says at intervals what the code of this process has, so that nobody takes its schedules for orphans (R5)."""

from collections.abc import Callable
from datetime import datetime, timedelta


class Confirmer:
    """What it says, and who is listened to, is the application's: see `Declared.confirm`."""

    def __init__(
        self, confirm: Callable[[str], None], *, worker: str, every: timedelta = timedelta(minutes=1)
    ) -> None:  # fmt: skip
        self._confirm = confirm
        self._worker = worker
        self._every = every

    def tick(self, _now: datetime) -> timedelta:
        self._confirm(self._worker)
        return self._every
