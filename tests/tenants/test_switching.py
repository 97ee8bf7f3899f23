"""Whatever alternates in a process, nobody ever sees the world of another one. The whole: python -m bench.switches."""

from rota import State
from rota.core.model import Outcome
from tests.tenants.switching import OFTEN, switch


def test_nobody_sees_the_database_the_context_or_the_remains_of_another(tmp_path):
    # R21, R37, G11, T20: in threads, coroutines and child processes, with failures, exits, time-outs and cancels.
    told = switch(tmp_path, 2000)

    assert told.foreign == []
    assert told.switches >= 1600
    assert set(told.by_job) == set(OFTEN)
    assert {State.SUCCEEDED, State.FAILED, State.CANCELLED} <= set(told.states)
    assert {Outcome.SUCCEEDED, Outcome.FAILED, Outcome.TIMED_OUT} <= set(told.outcomes)
