"""How tests are shared out among the workers of pytest-xdist.

Tests that start processes wait for most of their time, all others compute. One worker of four computes, beside three
that wait, so that no processor is ever idle: the queue begins with what is long, goes on with what waits, and ends with
all else. Those who compute take from its end, the others from its beginning, and they meet where tests are short.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadGroupScheduling
from xdist.workermanage import WorkerController

TESTS = Path(__file__).parent
WAITING = ("system", "examples", "integrations", "hosts")
"""Folders of tests that start processes. A test of theirs is a unit of its own."""

TOGETHER = 16
"""How many of the other tests of a file one worker gets at once: a message for each would take longer than most."""


def rank(item: pytest.Item) -> int:
    """Return where in the queue an item belongs: first what is for one worker alone, or may take long, as it says."""
    if any(item.iter_markers("xdist_group")) or any(item.iter_markers("timeout")):
        return 0
    return 1 if is_waiting(item.nodeid) else 2


def is_waiting(nodeid: str) -> bool:
    """Tell whether a test is one of those that start processes."""
    return nodeid.startswith(tuple(f"tests/{folder}/" for folder in WAITING))


class Sharing(LoadGroupScheduling):
    """Hands out units of work from both ends of the queue. Without a look at all that is done, as its base takes."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        # The order is that of the workers: see `rank`.
        config.option.loadscopereorder = False
        self._units: dict[str, str] = {}
        self._places: dict[str, int] = {}

    def schedule(self) -> None:
        if self.collection is None:
            [names, *_] = self.registered_collections.values()
            self._places = {name: place for place, name in enumerate(names)}
            self._units = units(names)
        super().schedule()

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float = 0) -> None:
        name = self.registered_collections[node][item_index]
        unit, assigned = self._units[name], self.assigned_work[node]
        assigned[unit][name] = True
        if all(assigned[unit].values()):
            del assigned[unit]
        self._reschedule(node)

    def _split_scope(self, nodeid: str) -> str:
        return self._units[nodeid]

    def _assign_work_unit(self, node: WorkerController) -> None:
        computes = self.nodes.index(node) % 4 == 0
        unit, work = self.workqueue.popitem(last=computes)
        self.assigned_work[node][unit] = work
        node.send_runtest_some([self._places[name] for name, done in work.items() if not done])


def units(names: Sequence[str]) -> dict[str, str]:
    """Return the unit of work of each test: its group, itself if it waits, else it and its neighbours in the file."""
    found: dict[str, str] = {}
    numbers: dict[str, int] = {}
    for name in names:
        if name.rfind("@") > name.rfind("]"):
            found[name] = name.rpartition("@")[2]
        elif is_waiting(name):
            found[name] = name
        else:
            file = name.partition("::")[0]
            numbers[file] = number = numbers.get(file, -1) + 1
            found[name] = f"{file}, part {number // TOGETHER}"
    return found
