"""How many runs a worker holds beyond those it executes."""

ANSWERS = 3.0
"""Work kept at hand: what the places get done in the time of so many answers of the store. More holds back whoever is
claimed next: with 40 ms of it a single run waited 40 ms behind the flood of another tenant, and 2 ms without the flood
(G12). With two answers at hand places went idle. A run that takes longer than this is never held back here while
another worker is idle."""

LEAST_S = 0.001
MOST_S = 0.04

MOST = 1000

SHORTEST_S = 1e-5


class Prefetch:
    """Learns how long runs take and how long the store takes to answer, and keeps as much work at hand as will not run
    out between two claims.

    No-op jobs come in batches of hundreds, jobs of a second one by one.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._seconds = 0.1
        self._answer = MOST_S / ANSWERS

    def learn(self, seconds: float) -> None:
        """Take note of how long an attempt took that just ended.

        Long ones count soon, short ones little by little, since holding too much is worse than holding too little. But
        one alone no more than doubles what is thought: of a thousand runs that do nothing a few take 5 ms and more,
        since a thread gave its place at the interpreter's lock away.
        """
        if seconds > self._seconds:
            self._seconds = min(seconds, self._seconds * 2)
        else:
            self._seconds += (max(seconds, SHORTEST_S) - self._seconds) * 0.1

    def learn_at_least(self, seconds: float) -> None:
        """Take note that no place has become free for so long. Doubled, so that it comes to rest where a crowd of
        places still looks quick."""
        self._seconds = max(seconds, self._seconds * 2)

    def learn_answer(self, seconds: float) -> None:
        """Take note of how long the store took to answer a claim; a slow answer counts sooner than a quick one."""
        self._answer += (seconds - self._answer) * (0.3 if seconds > self._answer else 0.1)

    def outlasts_an_answer(self, waiting: int) -> bool:
        """Whether so many runs that wait keep the places busy until the store has answered."""
        return waiting * self._seconds / self._places > self._answer

    def room(self, *, held: int) -> int:
        """Return how many runs may be claimed now."""
        seconds = min(max(ANSWERS * self._answer, LEAST_S), MOST_S)
        return self._places + min(int(self._places * seconds / self._seconds), MOST) - held
