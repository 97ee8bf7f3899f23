"""The clock of the house's own tests: the library's, from noon on, with ids that are easy to read."""

from datetime import datetime, timedelta

from rota import testing
from tests.values import NOON, new_id


class FakeClock(testing.FakeClock):
    """A `Clock` whose instants and durations move by `tick`, and whose wall alone moves by `step`."""

    def __init__(self, now: datetime = NOON) -> None:
        super().__init__(now)

    def new_id(self) -> str:
        return new_id()

    def tick(self, duration: timedelta) -> datetime:
        """Let time pass, and return the new instant."""
        return self.advance(duration)
