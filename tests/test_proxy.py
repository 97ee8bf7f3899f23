"""The proxy of the fault tests, against a server that echoes."""

import socket
import socketserver
import threading
import time

import pytest

from tests.proxy import HOST, Mode, proxy


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while received := self.request.recv(1 << 16):
            self.server.heard.append(received)
            self.request.sendall(received)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    block_on_close = False

    def handle_error(self, request, client_address):
        """A connection that was reset is what these tests are about."""


@pytest.fixture
def server():
    with Server((HOST, 0), Echo) as made:
        made.heard = []
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def line(server):
    with proxy(server.server_address[1]) as made:
        yield made


def connected(line):
    made = socket.create_connection((HOST, line.port), timeout=5)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def asked(client, text):
    client.sendall(text)
    return client.recv(1 << 16)


def hears_nothing(client):
    client.settimeout(0.1)
    with pytest.raises(TimeoutError):
        client.recv(1)
    client.settimeout(5)


def test_it_passes_everything_on(line):
    with connected(line) as client, connected(line) as other:
        assert asked(client, b"one") == b"one"
        assert asked(other, b"two") == b"two"

    assert line.counts["accepted"] == 2


def test_much_comes_through_whole(line):
    sent = bytes(range(256)) * 20_000
    got = bytearray()
    with connected(line) as client:
        sender = threading.Thread(target=client.sendall, args=(sent,))
        sender.start()
        while len(got) < len(sent):
            got += client.recv(1 << 16)
        sender.join()

    assert bytes(got) == sent


def test_who_closes_is_closed_at_the_other_end(line):
    with connected(line) as client:
        assert asked(client, b"bye") == b"bye"
        client.shutdown(socket.SHUT_WR)

        assert client.recv(1) == b""


def test_refused_is_refused_until_it_passes_again(line):
    with connected(line) as client:
        assert asked(client, b"one") == b"one"
        line.to(Mode.REFUSE)

        with pytest.raises(ConnectionError):
            connected(line)
        with pytest.raises(ConnectionError):
            asked(client, b"two")

    line.to(Mode.PASS)
    with connected(line) as client:
        assert asked(client, b"three") == b"three"


def test_a_black_hole_swallows_both_ways_and_connections_stand(server, line):
    with connected(line) as client:
        assert asked(client, b"one") == b"one"
        line.to(Mode.BLACK_HOLE)
        client.sendall(b"two")

        hears_nothing(client)
        assert b"two" not in server.heard
        with connected(line) as late:
            late.sendall(b"three")
            hears_nothing(late)

        line.to(Mode.PASS)
        assert client.recv(10) == b"two"


def test_one_way_lets_the_question_through_and_no_answer(server, line):
    with connected(line) as client:
        assert asked(client, b"one") == b"one"
        line.to(Mode.ONE_WAY)
        client.sendall(b"two")

        hears_nothing(client)
        assert server.heard == [b"one", b"two"]


def test_a_delay_counts_in_each_direction(line):
    line.delay(0.1)
    with connected(line) as client:
        began = time.monotonic()

        assert asked(client, b"one") == b"one"

    assert time.monotonic() - began >= 0.2


def test_a_reset_cuts_who_is_connected_and_nobody_else(line):
    with connected(line) as client:
        assert asked(client, b"one") == b"one"
        line.reset()

        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with connected(line) as client:
        assert asked(client, b"two") == b"two"
    assert line.counts["reset"] == 1


def test_one_answer_is_lost_and_the_server_has_done_it(server, line):
    with connected(line) as client, connected(line) as other:
        assert asked(client, b"BEGIN") == b"BEGIN"
        trap = line.lose_one_answer(b"COMMIT")
        assert asked(client, b"UPDATE") == b"UPDATE"
        client.sendall(b"COM")
        # The word comes in two parts: its answers too, and the first is not lost.
        assert client.recv(10) == b"COM"

        with pytest.raises(ConnectionResetError):
            asked(client, b"MIT")

        assert trap.sprung.is_set()
        assert server.heard[-1] == b"MIT"
        assert asked(other, b"COMMIT") == b"COMMIT"
    assert line.counts["lost"] == 1


def test_an_answer_is_lost_only_after_the_words_before_it(line):
    with connected(line) as client, connected(line) as other:
        trap = line.lose_one_answer(b"COMMIT", after=b"SKIP LOCKED")
        assert asked(other, b"COMMIT") == b"COMMIT"
        assert asked(client, b"SELECT SKIP LOCKED") == b"SELECT SKIP LOCKED"
        assert not trap.sprung.is_set()

        with pytest.raises(ConnectionResetError):
            asked(client, b"COMMIT")


def test_a_trigger_that_came_before_those_words_is_not_meant(server, line):
    with connected(line) as client:
        trap = line.lose_one_answer(b"COMMIT", after=b"SKIP LOCKED")
        assert asked(client, b"COMMIT") == b"COMMIT"
        assert asked(client, b"SELECT SKIP LOCKED") == b"SELECT SKIP LOCKED"
        assert not trap.sprung.is_set()


def test_a_server_that_is_not_there_resets(server):
    # Taken, so that nobody else gets it, and nobody listens.
    with socket.socket() as bound:
        bound.bind((HOST, 0))

        # At once or at the first word: it is cut off as soon as the proxy finds nobody.
        with proxy(bound.getsockname()[1]) as line, pytest.raises(ConnectionError), connected(line) as client:
            assert client.recv(1) != b""
