"""After a failure the next attempt comes, or not, and as late, alike whatever the function ran in (R32).

The error is the same one too (R38).
"""

import asyncio
from datetime import timedelta

import pytest

from rota.context import StopSignal
from rota.core.fingerprint import fingerprint
from rota.core.lifecycle import settle
from rota.core.model import Outcome, State
from rota.core.policy import Retry
from rota.executors.asyncio_ import aexecute
from rota.executors.call import execute
from tests.executors.nursery import nursery
from tests.executors.process_app import struggles
from tests.values import NOON, a_run

WAIT = timedelta(seconds=40)


@pytest.fixture(scope="module")
def home():
    with nursery() as made:
        yield made


@pytest.fixture(params=["thread", "asyncio", "process"])
def attempt(request):
    """Return what makes an attempt by one of the executors and returns how it ended."""

    def by_thread(what):
        return execute(lambda: struggles(what), stop=StopSignal(), started_at=NOON)

    def by_asyncio(what):
        async def call():
            return struggles(what)

        return asyncio.run(aexecute(call, stop=StopSignal(), started_at=NOON))

    def by_process(what):
        return request.getfixturevalue("home").run("struggles", what)

    return {"thread": by_thread, "asyncio": by_asyncio, "process": by_process}[request.param]


@pytest.mark.parametrize(
    ("what", "policy", "state", "seconds"),
    [
        ("a built-in", Retry(), State.SCHEDULED, 40),
        ("a built-in", Retry(on=OSError), State.SCHEDULED, 40),
        ("a built-in", Retry(on=LookupError), State.FAILED, 0),
        ("a built-in", Retry(not_on=ConnectionError), State.FAILED, 0),
        ("asks", Retry(), State.SCHEDULED, 120),
        ("asks", Retry(on="tests.executors.process_app.TooMany"), State.SCHEDULED, 120),
        ("asks", Retry(not_on="tests.executors.process_app.TooMany"), State.FAILED, 0),
        ("asks with a result", Retry(on=ConnectionError), State.SCHEDULED, 120),
        ("later", Retry(on=LookupError), State.SCHEDULED, 180),
        ("says no", Retry(), State.SCHEDULED, 40),
        ("says no", Retry(on=LookupError), State.FAILED, 0),
        ("says no", Retry(on=(LookupError, "Unsuccessful")), State.SCHEDULED, 40),
        ("gives up", Retry(not_on="Fail"), State.FAILED, 0),
        ("snoozes", Retry(on=LookupError), State.SCHEDULED, 240),
        ("a trap", Retry(), State.SCHEDULED, 40),
    ],
)
def test_the_next_attempt_comes_as_policy_and_exception_say(attempt, what, policy, state, seconds):  # R32
    run = a_run(state=State.RUNNING, attempt=1, token=7)

    settlement = settle(run, attempt(what), now=NOON, wait=WAIT, retry=policy)

    assert (settlement.state, settlement.due_at) == (state, NOON + timedelta(seconds=seconds))
    assert settlement.attempt == (0 if settlement.outcome is Outcome.SNOOZED else 1)


def test_an_error_is_the_same_one_whatever_the_function_ran_in(attempt):  # R38
    settlement = settle(a_run(attempt=1), attempt("a built-in"), now=NOON, wait=WAIT)

    error = settlement.error
    here = struggles.registered.function.__code__.co_firstlineno
    module, line = error.place.split(", line ")
    assert module == "tests.executors.process_app.struggles"
    assert here < int(line) < here + 10
    assert error.fingerprint == fingerprint("ConnectionResetError", "", error.place)
