"""What arrives together is written together, and each caller gets what is its own."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial

import pytest

from rota import Rota
from rota.errors import BadArguments, StoreUnavailable
from rota.gathering import Gatherer, Shared, Work, together
from rota.queries import AuditQuery, RoundQuery, RunQuery

WAIT = 10


class Writer:
    """Writes numbers; the first write takes until the others have come."""

    def __init__(self, *, refuses: int | None = None, is_away: bool = False) -> None:
        self.wrote: list[list[int]] = []
        self.has_begun = threading.Event()
        self.may_end = threading.Event()
        self._refuses = refuses
        self._is_away = is_away
        self.gatherer: Gatherer[int] = Gatherer(self._write)

    def _write(self, numbers: Sequence[int]) -> None:
        self.has_begun.set()
        self.may_end.wait(WAIT)
        if self._is_away and numbers != [0]:
            raise StoreUnavailable("away")
        if self._refuses in numbers:
            raise BadArguments(f"not {self._refuses}")
        self.wrote.append(list(numbers))

    def all(self, number: int) -> list[Exception | None]:
        """Write so many, all but the first while that one is under way; return what each raised."""
        with ThreadPoolExecutor(number) as pool:
            first: Future[None] = pool.submit(self.gatherer.write, 0)
            assert self.has_begun.wait(WAIT)
            others = [pool.submit(self.gatherer.write, one) for one in range(1, number)]
            while len(self.gatherer._waiting) < number - 1:
                pass
            self.may_end.set()
            return [one.exception(WAIT) for one in [first, *others]]


def test_who_comes_while_a_write_is_under_way_is_in_the_next_one():
    writer = Writer()

    assert writer.all(6) == [None] * 6
    assert [sorted(numbers) for numbers in writer.wrote] == [[0], [1, 2, 3, 4, 5]]


def test_who_comes_alone_does_not_wait():
    writer = Writer()
    writer.may_end.set()

    for number in range(3):
        writer.gatherer.write(number)

    assert writer.wrote == [[0], [1], [2]]


def test_nobody_gets_the_error_of_another():
    writer = Writer(refuses=2)

    answers = writer.all(5)

    assert [number for number, error in enumerate(answers) if error is not None] == [2]
    assert sorted(number for numbers in writer.wrote for number in numbers) == [0, 1, 3, 4]


def test_where_the_store_is_away_all_are_told():
    answers = Writer(is_away=True).all(4)

    assert [type(error) for error in answers] == [type(None), *[StoreUnavailable] * 3]


def test_who_is_interrupted_leaves_nobody_waiting():
    writer = Writer()

    def interrupted(_numbers: Sequence[int]) -> None:
        writer.gatherer._write = lambda numbers: writer.wrote.append(list(numbers))
        writer.has_begun.set()
        writer.may_end.wait(WAIT)
        raise KeyboardInterrupt

    writer.gatherer._write = interrupted

    answers = writer.all(3)

    assert isinstance(answers[0], KeyboardInterrupt)
    assert answers[1:] == [None, None]


def test_who_asks_together_is_told_together_and_nobody_too_late():
    asked, has_begun, may_end = [], threading.Event(), threading.Event()

    def ask() -> int:
        has_begun.set()
        may_end.wait(WAIT)
        asked.append(1)
        return len(asked)

    shared = Shared(ask)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(shared.get)
        assert has_begun.wait(WAIT)
        others = [pool.submit(shared.get) for _ in range(3)]
        while len(shared._gatherer._waiting) < 3:
            pass
        may_end.set()

    assert first.result() == 1
    assert [one.result() for one in others] == [2, 2, 2]


def an_app(url: str) -> Rota:
    app = Rota(url)

    @app.job()
    def greet(name: str) -> None: ...

    return app


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_runs_and_starts_of_many_threads_are_all_there(kind, tmp_path):
    app = an_app("memory://" if kind == "memory" else f"sqlite:///{tmp_path}/rota.db")
    app.open_store().setup()
    greet = app.jobs["greet"]

    with ThreadPoolExecutor(8) as pool:
        enqueued = {handle.id for handle in pool.map(greet.enqueue, map(str, range(40)))}
        started = {round_.id for round_ in pool.map(lambda n: app.start_run("greet", args=[str(n)]), range(40))}

    runs = app.store.runs(RunQuery(limit=100))
    assert {run.id for run in runs if run.round_id is None} == enqueued
    assert (
        {run.round_id for run in runs} - {None}
        == started
        == {one.id for one in app.store.rounds(RoundQuery(limit=100))}
    )
    assert len(app.store.audit(AuditQuery(limit=100))) == 40
    app.close()


def works(*does):
    return [Work(one, copy_context()) for one in does]


def test_what_works_hand_in_is_written_at_once_after_them():
    wrote: list[list[int]] = []
    gatherer: Gatherer[int] = Gatherer(lambda numbers: wrote.append(list(numbers)))

    def work(number: int) -> int:
        gatherer.hand_in(number)
        assert wrote == []
        return number * 10

    assert together(works(*(partial(work, number) for number in range(3)))) == [0, 10, 20]
    assert wrote == [[0, 1, 2]]


def test_by_itself_what_is_handed_in_is_written_there_and_then():
    wrote: list[list[int]] = []
    gatherer: Gatherer[int] = Gatherer(lambda numbers: wrote.append(list(numbers)))

    gatherer.hand_in(1)

    assert wrote == [[1]]


def test_a_work_whose_part_could_not_be_written_has_failed_and_no_other():
    writer = Writer(refuses=2)
    writer.may_end.set()

    def work(number: int) -> int:
        writer.gatherer.hand_in(number)
        return number

    came_to = together(works(*(partial(work, number) for number in range(4))))

    assert [type(one) for one in came_to] == [int, int, BadArguments, int]
    assert writer.wrote == [[0], [1], [3]]


def test_of_a_work_that_fails_nothing_is_written():  # R64
    writer = Writer()
    writer.may_end.set()

    def fails() -> None:
        writer.gatherer.hand_in(1)
        raise BadArguments("no")

    [came_to] = together(works(fails))

    assert (type(came_to), writer.wrote) == (BadArguments, [])


def test_works_that_are_done_together_share_what_they_ask_for():
    asked = []
    shared = Shared(lambda: asked.append(1) or len(asked))

    assert together(works(shared.get, shared.get)) == [1, 1]
    assert together(works(shared.get)) == [2]
