"""One question to the web: where it goes, and how little of an answer can harm (T45, T46, H2)."""

import gzip
import tracemalloc
from datetime import timedelta

import pytest

from rota.errors import AddressRefused, NotReached
from tests.receiver import answered, dripping, dropped, endless, hanging, head, receiving, redirected, said


def test_the_request_arrives_and_the_answer_comes_back(asked):
    with receiving(answered(202, b'{"ok": true}', x_request="7")) as receiver:
        answer = asked(receiver, path="/hook?a=b")

    [request] = receiver.requests
    assert (request.method, request.path, request.body) == ("POST", "/hook?a=b", b"{}")
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert (answer.status, answer.body, answer.is_whole) == (202, b'{"ok": true}', True)
    assert answer.headers["x-request"] == "7"


def test_a_body_in_chunks_is_read(asked):
    body = b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"

    with receiving(said(head(200, transfer_encoding="chunked") + body)) as receiver:
        answer = asked(receiver)

    assert (answer.body, answer.is_whole) == (b"abcde", True)


# --- where it goes ---


def test_a_name_is_resolved_once_and_the_connection_goes_to_what_was_judged(asked):  # T45
    answers = iter([["127.0.0.1"], ["10.255.255.1"]])
    questions = []

    def resolve(host, port):
        questions.append(host)
        return next(answers)

    with receiving() as receiver:
        answer = asked(receiver, host="hook.example.com", resolve=resolve)

    assert answer.status == 200
    assert questions == ["hook.example.com"]


def test_a_name_that_leads_elsewhere_by_the_second_request_is_refused_then(asked):  # T45
    answers = iter([["127.0.0.1"], ["10.255.255.1"]])

    with receiving() as receiver:
        asked(receiver, host="hook.example.com", resolve=lambda host, port: next(answers))
        with pytest.raises(AddressRefused, match=r"leads to 10\.255\.255\.1, which is private"):
            asked(receiver, host="hook.example.com", resolve=lambda host, port: next(answers))


def test_where_one_address_does_not_answer_the_next_is_tried(asked):
    with receiving() as receiver:
        # Nobody listens at the first one: the receiver is at 127.0.0.1 alone.
        answer = asked(receiver, host="hook.example.com", resolve=lambda host, port: ["127.0.0.2", "127.0.0.1"])

    assert answer.status == 200


def test_a_redirect_is_not_followed(asked):  # T45
    with receiving(redirected("/elsewhere")) as receiver:
        answer = asked(receiver)

    assert answer.status == 307
    assert receiver.connections == 1


def test_a_redirect_that_is_allowed_is_followed_with_all_that_was_sent(asked):
    with receiving(redirected("/elsewhere"), answered(200)) as receiver:
        answer = asked(receiver, redirects=1)

    assert answer.status == 200
    assert [(one.method, one.path, one.body) for one in receiver.requests][1] == ("POST", "/elsewhere", b"{}")


@pytest.mark.parametrize(
    "where",
    ["http://169.254.169.254/latest/meta-data/", "http://[::1]/", "http://2852039166/", "file:/etc/passwd"],
)
def test_each_redirect_is_judged(asked, where):  # T45
    with receiving(redirected(where)) as receiver, pytest.raises(AddressRefused):
        asked(receiver, redirects=3, networks=("127.0.0.1/32",))

    assert receiver.connections == 1


def test_redirects_have_an_end(asked):  # T46, H2
    with receiving(redirected("/again")) as receiver:
        answer = asked(receiver, redirects=3)

    assert answer.status == 307
    assert receiver.connections == 4


def test_a_redirect_from_https_to_http_is_refused(asked, authority):  # T45
    with (
        receiving(redirected("http://127.0.0.1/"), certificate=authority.certificate("127.0.0.1")) as receiver,
        pytest.raises(AddressRefused, match="from https:// to http://"),
    ):
        asked(
            receiver,
            redirects=1,
            insecure_http=True,
            ports=(receiver.port, 80),
            ca_file=str(authority.file),
        )


def test_no_proxy_is_taken_from_the_environment(asked, monkeypatch):  # T45
    with receiving() as proxy, receiving() as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        asked(receiver)

    assert (proxy.connections, receiver.connections) == (0, 1)


# --- whom it trusts ---


def test_a_certificate_of_a_known_authority_for_the_name_is_trusted(asked, authority):  # T45
    with receiving(certificate=authority.certificate("hook.example.com")) as receiver:
        answer = asked(
            receiver,
            host="hook.example.com",
            resolve=lambda host, port: ["127.0.0.1"],
            ca_file=str(authority.file),
        )

    assert answer.status == 200


def test_a_certificate_for_another_name_is_not(asked, authority):  # T45
    with (
        receiving(certificate=authority.certificate("other.example.com")) as receiver,
        pytest.raises(NotReached, match=r"cannot be trusted: TLS: .*not valid for 'hook.example.com'"),
    ):
        asked(
            receiver,
            host="hook.example.com",
            resolve=lambda host, port: ["127.0.0.1"],
            ca_file=str(authority.file),
        )


def test_a_certificate_of_an_unknown_authority_is_not(asked, authority):  # T45
    with (
        receiving(certificate=authority.certificate("127.0.0.1")) as receiver,
        pytest.raises(NotReached, match="cannot be trusted: TLS: unable to get local issuer"),
    ):
        asked(receiver)

    assert receiver.requests == []


def test_a_certificate_is_not_looked_at_where_the_configuration_says_so(asked, authority):
    with receiving(certificate=authority.certificate("other.example.com")) as receiver:
        answer = asked(receiver, insecure_certificate=True)

    assert answer.status == 200


# --- how much may come back, and when ---


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(hanging, "did not answer within 0.3s", id="says nothing"),
        pytest.param(dripping(head(200) * 100), "did not answer within 0.3s", id="drips its head"),
        pytest.param(dropped, "gave no answer of HTTP", id="closes"),
        pytest.param(said(b"SSH-2.0-OpenSSH\r\n"), "gave no answer of HTTP", id="speaks another language"),
        pytest.param(
            endless(b"HTTP/1.1 200 OK\r\nX-A: ", b"a" * 60000), "more than 64KB of headers", id="one header of 10 MB"
        ),
        pytest.param(
            endless(b"HTTP/1.1 200 OK\r\n", b"X-A: " + b"a" * 5000 + b"\r\n"),
            "more than 64KB of headers",
            id="10 MB of headers",
        ),
        pytest.param(endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "more than 64KB of headers", id="more is to come"),
    ],
)
def test_an_answer_without_a_head_in_time_and_within_bounds_is_none(asked, answer, said):  # T46, H2
    # Only who waits for the time to be up is given little of it.
    timeout = timedelta(seconds=0.3 if "within" in said else 20)

    with receiving(answer) as receiver, pytest.raises(NotReached, match=said):
        asked(receiver, timeout=timeout)


def test_nobody_there_is_said_without_the_path(asked):  # R65
    with receiving() as receiver:
        pass

    with pytest.raises(NotReached, match=r"^127\.0\.0\.1:\d+ cannot be reached: Connection refused$"):
        asked(receiver, path="/services/hush")


@pytest.mark.parametrize(
    ("answer", "length"),
    [
        pytest.param(endless(head(200), b"a" * 60000), 64 << 10, id="without end"),
        pytest.param(endless(head(200, content_length=10 << 20), b"a" * 60000), 64 << 10, id="10 MB"),
    ],
)
def test_no_more_of_a_body_is_read_than_may_come(asked, answer, length):  # T46, H2
    with receiving(answer) as receiver:
        answer = asked(receiver)

    assert (answer.status, len(answer.body), answer.is_whole) == (200, length, False)


def test_a_body_that_drips_does_not_take_longer_than_the_time_there_is(asked):  # T46
    def answer(connection, receiver):
        connection.sendall(head(200, content_length=100_000))
        dripping(b"a" * 100_000)(connection, receiver)

    with receiving(answer) as receiver:
        answer = asked(receiver, timeout=timedelta(seconds=1))

    assert (answer.status, answer.is_whole) == (200, False)


def test_a_body_that_breaks_off_is_not_whole(asked):
    with receiving(said(head(200, content_length=10) + b"half")) as receiver:
        answer = asked(receiver)

    assert (answer.status, answer.body, answer.is_whole) == (200, b"half", False)


def test_nothing_is_unpacked(asked):  # T46
    packed = gzip.compress(b"0" * (30 << 20))
    assert len(packed) < 64 << 10

    with receiving(answered(200, packed, content_encoding="gzip")) as receiver:
        tracemalloc.start()
        answer = asked(receiver)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert answer.body == packed
    assert receiver.requests[0].headers["accept-encoding"] == "identity"
    assert most < 1 << 20
