"""Says of a `MemoryStore` that nobody works off what it keeps."""

import logging
from collections.abc import Sequence

from rota.core.model import Run

log: logging.Logger = logging.getLogger(__name__)


class Idleness:
    """Warns once: no other process sees what is kept in this one's memory (R33)."""

    def __init__(self) -> None:
        self._is_said = False

    def warn(self, runs: Sequence[Run], *, is_worked: bool) -> None:
        """Take note of runs that were accepted, and whether a worker of this process knows of the store."""
        if not runs or is_worked or self._is_said:
            return
        self._is_said = True
        log.warning(
            "a run of job %r waits in memory, and no worker runs in this process: call rota.start_background() here, "
            "or use a store that other processes see, such as sqlite:///rota.db",
            runs[0].job,
        )
