"""Children that are kept for the next run: when they are, and when not."""

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest

from rota.context import StopSignal
from rota.core.model import Outcome
from rota.executors.kernel import children, descendants
from tests.executors.nursery import kill, nursery, spawners
from tests.system.processes import is_alive, wait_until


@pytest.fixture(scope="module")
def shared():
    with nursery(max_runs_per_child=1000, max_rss=200 << 20) as made:
        yield made


@pytest.fixture
def home(shared):
    shared.lines.clear()
    return shared


def test_a_child_is_used_again(home):
    assert home.result("pid") == home.result("pid")


def test_a_child_is_used_as_often_as_the_settings_say():
    with nursery(max_runs_per_child=3) as home:
        seen = [home.result("pid") for _ in range(7)]

    assert [seen.count(pid) for pid in dict.fromkeys(seen)] == [3, 3, 1]


@pytest.mark.parametrize(
    "what",
    ["folder", "umask", "environment", "mask", "handler", "alarm", "locale", "thread", "descriptor", "process"],
)
def test_a_child_that_a_job_left_changed_is_not_used_again(home, what):  # F12, F13
    changed = home.result("changes", what)

    assert home.result("pid") != changed
    assert not is_alive(changed)
    assert json.loads(home.result("sees")) == [str(Path.cwd()), "unset", None]


@pytest.mark.parametrize("what", ["context", "nothing"])
def test_a_child_that_is_as_before_is_used_again_and_shows_no_context_of_the_last_run(home, what):  # R21
    used = home.result("changes", what)

    assert home.result("pid") == used
    assert json.loads(home.result("sees"))[1] == "unset"


def test_a_failure_does_not_wear_a_child(home):
    used = home.result("pid")

    assert home.run("changes", "failure").outcome is Outcome.FAILED
    assert home.result("pid") == used


def test_a_child_that_holds_too_much_memory_is_not_used_again(home):
    used = home.result("keeps", 300)

    assert home.result("pid") != used


def test_a_child_that_was_stopped_is_not_used_again(home, tmp_path):
    used, stop = home.result("pid"), StopSignal()
    stop.set("at once", grace=timedelta(seconds=10))

    home.run("stops", str(tmp_path / "journal"), stop=stop)

    assert home.result("pid") != used


def test_a_child_with_limits_serves_its_own_job_only(home):
    plain = home.result("pid")
    limited = home.result("pid", max_memory=400 << 20)

    assert limited != plain
    assert home.result("pid", max_memory=400 << 20) == limited
    assert home.result("changes", "nothing", max_memory=400 << 20) != limited
    assert home.result("pid") != limited


def test_limits_of_a_kept_child_count_anew_for_each_run(home):  # F8
    limits = {"max_memory": 200 << 20, "max_cpu": timedelta(seconds=5)}
    used = [home.result("changes", "nothing", **limits) for _ in range(3)]

    ending = home.run("allocates", 1000, **limits)

    assert len(set(used)) == 1
    assert ending.error.message == "over its memory limit of 200MB"


def test_a_child_that_died_while_it_rested_fails_no_run(home):
    rested = home.result("pid")
    kill(rested)
    wait_until(lambda: not is_alive(rested), what="it is dead")

    assert home.result("pid") != rested


def test_a_child_that_rests_and_cannot_answer_fails_no_run(home):
    # The guardian stopped: nobody can say yet that the child has died.
    rested = home.result("pid")
    [guardian] = [pid for pid in descendants(spawners()[0]) if rested in children(pid)]
    os.kill(guardian, 19)
    kill(rested)
    try:
        with home.running("pid") as endings:
            wait_until(lambda: not endings, what="it has been asked")
            os.kill(guardian, 18)
    finally:
        if is_alive(guardian):
            os.kill(guardian, 18)

    assert endings[0].outcome is Outcome.SUCCEEDED


def test_what_a_run_prints_is_never_heard_as_the_next_ones(home):
    for _ in range(20):
        home.lines.clear()
        home.run("prints")
        heard = len(home.lines)
        home.run("nothing")

        assert heard == len(home.lines) == 3


def test_no_more_children_rest_than_were_busy_at_once():
    before = spawners()
    with nursery(max_runs_per_child=100) as home:
        for name in ("pid", "sees", "pid", "sees"):
            # Each with limits of its own, so that none can take the other's child.
            home.run(name, max_memory=400 << 20)
        [spawner] = set(spawners()) - set(before)

        wait_until(lambda: len(children(spawner)) == 1, what="the others are let go of")
