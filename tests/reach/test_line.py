"""A connection on which time and bytes are counted (T46)."""

import socket

import pytest

from rota.reach.line import Line, TooMuch
from tests.clocks import FakeClock
from tests.values import SECOND


class Wire:
    """A connection that notes how long it may wait."""

    def __init__(self, said=b"a" * 100):
        self.said = said
        self.waits = []

    def settimeout(self, wait):
        self.waits.append(wait)

    def recv_into(self, buffer):
        size = min(len(buffer), len(self.said))
        buffer[:size], self.said = self.said[:size], self.said[size:]
        return size

    def sendall(self, written):
        """Take it."""


@pytest.fixture
def clock():
    return FakeClock()


def a_line(wire, clock, *, seconds=10, most=1000):
    return Line(wire, clock=clock, deadline=clock.monotonic() + seconds, most=most)


def test_each_read_may_take_what_is_left_of_the_time_and_no_more(clock):  # T46
    wire = Wire()
    line = a_line(wire, clock)

    line.send(b"x")
    clock.tick(4 * SECOND)
    line.read(1)
    clock.tick(5 * SECOND)
    line.read(1)

    assert wire.waits == [10, 6, 1]


@pytest.mark.parametrize("late", [10 * SECOND, 11 * SECOND])
def test_when_the_time_is_up_nothing_is_asked_of_the_connection(clock, late):  # T46
    wire = Wire()
    line = a_line(wire, clock)
    clock.tick(late)

    with pytest.raises(TimeoutError):
        line.read(1)
    with pytest.raises(TimeoutError):
        line.send(b"x")

    assert wire.waits == []


def test_when_the_bytes_are_used_up_there_are_no_more(clock):  # T46
    line = a_line(Wire(), clock, most=3)

    assert line.read(2) == b"aa"
    assert line.read(2) == b"a"
    with pytest.raises(TooMuch):
        line.read(1)


def test_an_end_is_an_end_and_not_too_much(clock):
    first, second = socket.socketpair()
    with first, second:
        second.sendall(b"abc")
        second.shutdown(socket.SHUT_WR)

        assert a_line(first, clock).makefile("rb").read() == b"abc"
