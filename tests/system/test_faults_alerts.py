"""A process is killed while it sends an alert (fault row A17)."""

import subprocess
import sys
from pathlib import Path

import pytest

from rota.clock import SystemClock
from rota.core.delivery import DeliveryState
from rota.queries import DeliveryQuery
from rota.stores import open_store
from tests.values import a_delivery, an_incident

ROOT = Path(__file__).parents[2]
DEADLINE_S = 60


def send(url, journal, dies=""):
    """Let a process send what waits, and return how it ended."""
    line = [sys.executable, "-m", "tests.system.sending", url, str(journal), *([dies] if dies else [])]
    return subprocess.run(line, cwd=ROOT, timeout=DEADLINE_S, check=False).returncode


@pytest.mark.parametrize(("dies", "got"), [("before", 1), ("after", 2)])
def test_who_is_killed_while_sending_is_followed_by_another_that_sends_the_same(tmp_path, dies, got):  # A17
    url, journal = f"sqlite:///{tmp_path / 'rota.db'}", tmp_path / "journal"
    store = open_store(url)
    store.setup()
    delivery = a_delivery(due_at=SystemClock().now())
    assert store.alerts.write(an_incident(), expected_version=None, deliveries=[delivery])

    assert send(url, journal, dies) == -9
    [waiting] = store.alerts.deliveries(DeliveryQuery())
    assert send(url, journal) == 0

    [sent] = store.alerts.deliveries(DeliveryQuery())
    store.close()
    assert (waiting.state, waiting.attempt) == (DeliveryState.WAITING, 1)
    assert (sent.state, sent.attempt) == (DeliveryState.SENT, 2)
    assert journal.read_text().split() == got * [delivery.alert.id]
