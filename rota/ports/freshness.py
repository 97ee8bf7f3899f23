"""What a store must do for the watchdog."""

from typing import Protocol


class FreshnessStore(Protocol):
    """Keeps by when each schedule must have succeeded for each tenant, and when that changed its state (R51).

    A part of the store that holds it: atomicity, repetition and errors are as there.
    """
