"""How many runs a worker holds beyond those it executes."""

from datetime import timedelta

AHEAD = timedelta(milliseconds=40)
"""Work kept at hand: what the places get done in this time. It covers a few round trips to the store; a run that
takes longer than this is never held back here while another worker is idle."""

MOST = 1000

SHORTEST = 1e-5
"""Seconds."""


class Prefetch:
    """Learns how long runs take, and keeps `AHEAD` of work at hand.

    No-op jobs come in batches of hundreds, jobs of a second one by one.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._seconds = 0.1

    def learn(self, seconds: float) -> None:
        """Take note of how long an attempt took that just ended.

        Long ones count soon, short ones little by little, since holding too much is worse than holding too little. But
        one alone no more than doubles what is thought: of a thousand runs that do nothing a few take 5 ms and more,
        since a thread gave its place at the interpreter's lock away.
        """
        if seconds > self._seconds:
            self._seconds = min(seconds, self._seconds * 2)
        else:
            self._seconds += (max(seconds, SHORTEST) - self._seconds) * 0.1

    def learn_at_least(self, seconds: float) -> None:
        """Take note that no place has become free for so long. Doubled, so that it comes to rest where a crowd of
        places still looks quick."""
        self._seconds = max(seconds, self._seconds * 2)

    def lasts(self, waiting: int) -> float:
        """Return in how many seconds so many runs that wait have begun."""
        return waiting * self._seconds / self._places

    def room(self, *, held: int) -> int:
        """Return how many runs may be claimed now."""
        ahead = min(int(self._places * AHEAD.total_seconds() / self._seconds), MOST)
        return self._places + ahead - held
