"""What a store must do for metrics."""

from typing import Protocol


class RollupStore(Protocol):
    """Keeps sums of what ran, by time, job, tenant, queue and outcome (R53).

    A part of the store that holds it: atomicity, repetition and errors are as there.
    """
