"""SIGTERM while a child says something to its worker: half a frame would be the end of the line between them."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rota.calls import Brief
from rota.core.model import Outcome
from rota.executors.frames import Asked, Ended, Frames, FromChild, Start, Taken, framed
from tests.system.processes import DEADLINE_S, REPOSITORY, wait_until
from tests.values import NOON, a_run

APP = """
from rota import Rota

app = Rota("memory://", tenants=[])


@app.job()
def small(text: str) -> None: ...


@app.job(executor="process")
def asks() -> None:
    # Several times what a socket holds, in one frame.
    small.enqueue_many([("x" * 30_000,) for _ in range(30)])
"""
CHILD = """
import sys
from rota.child import Program
from rota.executors.frames import Setup

program = Program()
assert program.load(Setup(place="shop_of_this_test:app")) is None
program.run(int(sys.argv[1]))
"""


@pytest.fixture
def line(tmp_path) -> Iterator[tuple[socket.socket, subprocess.Popen[bytes]]]:
    """The worker's end of the line to a child, and the child."""
    (tmp_path / "shop_of_this_test.py").write_text(APP)
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            child = subprocess.Popen(
                [sys.executable, "-c", CHILD, str(theirs.fileno())],
                cwd=tmp_path,
                env={**os.environ, "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{tmp_path}"},
                pass_fds=[theirs.fileno()],
            )
        ours.settimeout(DEADLINE_S)
        yield ours, child
    try:
        assert child.wait(DEADLINE_S) == 0
    finally:
        child.kill()
        child.wait()


def received(ours: socket.socket, size: int) -> bytes:
    """Return the next bytes on the line."""
    text = b""
    while len(text) < size:
        more = ours.recv(size - len(text))
        assert more, "the child went without a word"
        text += more
    return text


def is_pending(pid: int, number: int) -> bool:
    """Whether a signal was sent to a process and none of its threads has taken it."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    masks = [int(line.split()[1], 16) for line in lines if line.startswith(("SigPnd", "ShdPnd"))]
    return any(mask >> (number - 1) & 1 for mask in masks)


def test_sigterm_in_the_middle_of_a_frame_waits_until_all_of_it_is_sent(line):
    ours, child = line
    ours.sendall(framed(Start(brief=Brief(run=a_run(job="asks")), started_at=NOON, now=NOON)))
    first = framed(Taken())
    assert received(ours, len(first)) == first
    head = received(ours, 4)

    # Its head is here, and all of it does not fit into the socket: nobody has read it.
    child.send_signal(signal.SIGTERM)
    wait_until(lambda: not is_pending(child.pid, signal.SIGTERM), what="the arrival of the signal")

    frames: Frames[FromChild] = Frames(FromChild)
    heard = list(frames.feed(head))
    while len(heard) < 2:
        heard += frames.feed(ours.recv(1 << 16) or pytest.fail("the child went without a word"))
    asked, ended = heard
    assert isinstance(asked, Asked) and len(asked.runs) == 30
    # Stopped by its signal as soon as the frame was out, not when somebody answers.
    assert isinstance(ended, Ended)
    assert (ended.ending.outcome, ended.ending.error.type) == (Outcome.LOST, "Stopped")
