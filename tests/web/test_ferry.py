"""What is asked at once is done in one go, and nobody waits for what keeps somebody else."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from rota.errors import BadArguments
from rota.gathering import Gatherer
from rota.web import ferry as ferries
from rota.web.ferry import Ferry
from tests.web.values import a_client, a_token, an_app

WAIT = 10


def written_by(*numbers: int) -> list[list[int]]:
    """Have so many works hand in a number each, all asked for at once; return what was written together."""
    wrote: list[list[int]] = []
    gatherer: Gatherer[int] = Gatherer(lambda parts: wrote.append(list(parts)))
    ferry: Ferry[None] = Ferry()

    async def ask() -> Sequence[None]:
        return await asyncio.gather(*(ferry.take(lambda n=n: gatherer.hand_in(n)) for n in numbers))

    asyncio.run(ask())
    return wrote


def test_what_comes_at_once_is_written_at_once():
    assert written_by(1, 2, 3) == [[1, 2, 3]]


def test_so_many_go_at_once_and_the_others_go_next(monkeypatch):
    monkeypatch.setattr(ferries, "MOST", 2)

    assert written_by(1, 2, 3, 4, 5) == [[1, 2], [3, 4], [5]]


def test_who_comes_later_does_not_wait_for_what_takes_long(monkeypatch):
    monkeypatch.setattr(ferries, "HOLDS_S", 0.001)
    ferry: Ferry[str] = Ferry()
    has_begun, may_end = threading.Event(), threading.Event()

    def slow() -> str:
        has_begun.set()
        assert may_end.wait(WAIT)
        return "slow"

    async def ask() -> tuple[str, str]:
        first = asyncio.create_task(ferry.take(slow))
        while not has_begun.is_set():
            await asyncio.sleep(0)
        second = await asyncio.wait_for(ferry.take(lambda: "quick"), WAIT)
        may_end.set()
        return second, await first

    assert asyncio.run(ask()) == ("quick", "slow")


def test_each_is_told_what_became_of_its_own():
    ferry: Ferry[int] = Ferry()

    def fails() -> int:
        raise BadArguments("no")

    async def ask() -> list[int | BaseException]:
        return await asyncio.gather(ferry.take(lambda: 1), ferry.take(fails), return_exceptions=True)

    one, error = asyncio.run(ask())

    assert (one, type(error)) == (1, BadArguments)


def test_who_no_longer_waits_keeps_nobody_from_his_answer():
    ferry: Ferry[int] = Ferry()
    done = []

    async def ask() -> int:
        gone = asyncio.ensure_future(ferry.take(lambda: done.append(1) or 1))
        stays = asyncio.ensure_future(ferry.take(lambda: 2))
        await asyncio.sleep(0)
        gone.cancel()
        return await stays

    assert asyncio.run(ask()) == 2
    assert done == [1]


@pytest.mark.parametrize(
    ("path", "body"), [("/api/v1/runs", {"job": "greet", "args": ["ana"]}), ("/scheduler/run/greet", {"args": ["ana"]})]
)
def test_what_is_asked_at_the_door_goes_with_others(path, body, monkeypatch):  # R61
    asked: list[int] = []

    async def take(_self, does):
        asked.append(1)
        return await asyncio.to_thread(does)

    monkeypatch.setattr(Ferry, "take", take)
    client = a_client(an_app(), a_token())

    assert client.post(path, json=body).status_code == 202
    assert asked == [1]
    # A key has to be looked for in the store, and each who has one waits for his own answer.
    assert client.post(path, json=body, headers={"Idempotency-Key": "k"}).status_code == 202
    assert asked == [1]
