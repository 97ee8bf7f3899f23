"""What a store must do for alerts."""

from typing import Protocol


class AlertStore(Protocol):
    """Keeps what went wrong until it is over, and what is to be told of it to whom (R50).

    A part of the store that holds it: atomicity, repetition and errors are as there.
    """
