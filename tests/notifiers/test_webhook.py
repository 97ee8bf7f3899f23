"""Webhooks: what is posted, how it is signed, where it may go, and receivers that fail (T45, T46, T47, H2)."""

import hmac
from base64 import b64decode
from datetime import timedelta

import pytest

from rota.errors import ConfigurationError, DeliveryFailed
from rota.notifiers import make
from rota.notifiers.signing import keys_of, signed
from rota.notifiers.web import retry_after
from rota.redaction import redacted
from tests.notifiers.conftest import KEY
from tests.receiver import answered, dripping, dropped, endless, hanging, head, receiving, redirected
from tests.values import NOON, an_alert

OTHER_KEY = "whsec_" + "b3RoZXIga2V5LCBvdGhlciBrZXksIG90aGVy"


# --- what is posted ---


def test_the_alert_arrives_as_json(web_channel):  # R50
    alert = an_alert()

    with receiving() as receiver:
        web_channel("webhook", receiver).send(alert)

    [request] = receiver.requests
    assert request.headers["content-type"] == "application/json"
    assert request.json() == {
        "type": "incident.opened",
        "id": alert.id,
        "incident": alert.incident,
        "kind": "failed",
        "job": "email_sync",
        "title": "email_sync is failing for 12 tenants",
        "error": "imaplib.IMAP4.error: AUTHENTICATIONFAILED",
        "place": "app/mail.py, line 40, in sync",
        "tenants": ["acme", "globex", "initech"],
        "number_of_tenants": 12,
        "slot": "2026-06-01T11:59:00Z",
        "run": alert.run_id,
        "number": 14,
        "first_at": "2026-06-01T11:00:00Z",
        "last_at": "2026-06-01T12:00:00Z",
        "at": "2026-06-01T12:00:00Z",
        "note": "",
        "advice": "rota failures --job email_sync",
        "url": "",
    }


def test_texts_are_harmless_and_without_secrets(web_channel):  # R65
    with receiving() as receiver:
        web_channel("webhook", receiver).send(
            an_alert(title="a\r\nb\x1b[31m", error="password=hush-hush", tenants=("\x00",))
        )

    content = receiver.requests[0].json()
    assert content["title"] == "a\\r\\nb\\x1b[31m"
    assert content["error"] == "password=***"
    assert content["tenants"] == ["\\x00"]


# --- how it is signed ---


def test_the_documented_vector():  # T47
    # Of the libraries of Standard Webhooks.
    headers = signed(
        keys_of(KEY), message_id="msg_p5jXN8AQM9LWM0D4loKWxJek", at=1614265330, body=b'{"test": 2432232314}'
    )

    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_what_arrives_can_be_verified(web_channel):  # T47
    alert = an_alert()

    with receiving() as receiver:
        web_channel("webhook", receiver).send(alert)

    [request] = receiver.requests
    content = f"{alert.id}.{int(NOON.timestamp())}.".encode() + request.body
    expected = hmac.digest(b64decode(KEY.removeprefix("whsec_")), content, "sha256")
    version, _, signature = request.headers["webhook-signature"].partition(",")
    assert (request.headers["webhook-id"], version, b64decode(signature)) == (alert.id, "v1", expected)


def test_a_repeated_one_has_the_same_id(web_channel):  # R50, T47
    alert = an_alert()

    with receiving(answered(500), answered(200)) as receiver:
        channel = web_channel("webhook", receiver)
        with pytest.raises(DeliveryFailed):
            channel.send(alert)
        channel.send(alert)

    first, again = receiver.requests
    assert first.headers["webhook-id"] == again.headers["webhook-id"] == alert.id


@pytest.mark.parametrize("odd", ["0197a-1", "a.b c", "a\r\nx: y", "ö" * 200, "\x00"])
def test_whatever_its_id_is_it_becomes_a_header(web_channel, odd):  # T47
    with receiving() as receiver:
        web_channel("webhook", receiver).send(an_alert(id=odd))

    sent_id = receiver.requests[0].headers["webhook-id"]
    assert 0 < len(sent_id) <= 128
    assert set(sent_id) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


def test_while_keys_are_changed_there_is_a_signature_with_each(web_channel):  # T47
    with receiving() as receiver:
        web_channel("webhook", receiver, key=f"{OTHER_KEY} {KEY}").send(an_alert())

    signatures = receiver.requests[0].headers["webhook-signature"].split(" ")
    assert len(set(signatures)) == 2


def test_receivers_that_ask_for_a_header_get_it(web_channel):
    with receiving() as receiver:
        web_channel("webhook", receiver, authorization="Bearer hush").send(an_alert())

    assert receiver.requests[0].headers["authorization"] == "Bearer hush"


# --- what the answer means ---


@pytest.mark.parametrize(
    ("status", "permanent"),
    [(301, True), (307, True), (400, True), (403, True), (404, True), (410, True), (408, False), (425, False),
     (429, False), (500, False), (502, False), (503, False)],
)  # fmt: skip
def test_the_status_says_whether_another_try_may_help(web_channel, status, permanent):  # H2
    with (
        receiving(answered(status, b"secret words", location="/x")) as receiver,
        pytest.raises(DeliveryFailed, match=f"127.0.0.1:{receiver.port} answered {status}") as caught,
    ):
        web_channel("webhook", receiver).send(an_alert())

    assert caught.value.permanent is permanent
    # The other end wrote it: it is nobody's to read.
    assert "secret words" not in str(caught.value)


def test_the_other_end_says_when_to_come_back(web_channel):  # H2
    with receiving(answered(429, retry_after=120)) as receiver, pytest.raises(DeliveryFailed) as caught:
        web_channel("webhook", receiver).send(an_alert())

    assert caught.value.retry_after == timedelta(minutes=2)


@pytest.mark.parametrize(
    ("written", "wait"),
    [
        ("120", timedelta(minutes=2)),
        ("Mon, 01 Jun 2026 12:05:00 GMT", timedelta(minutes=5)),
        ("Mon, 01 Jun 2026 12:05:00", timedelta(minutes=5)),
        ("Mon, 01 Jun 2026 11:00:00 GMT", timedelta(0)),
        ("9" * 500, timedelta(days=1)),
        ("Fri, 01 Jan 9999 00:00:00 GMT", timedelta(days=1)),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("١٢٠", None),
    ],
)
def test_a_pause_is_read_in_both_forms_and_is_a_day_at_most(written, wait):
    assert retry_after(written, now=NOON) == wait


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(hanging, "did not answer within 0.3s", id="slow"),
        pytest.param(dripping(head(200) * 100), "did not answer within 0.3s", id="drips"),
        pytest.param(dropped, "no answer of HTTP", id="closes"),
        pytest.param(endless(b"HTTP/1.1 200 OK\r\n", b"X: " + b"a" * 9000 + b"\r\n"), "of headers", id="10 MB header"),
    ],
)
def test_a_receiver_that_fails_is_tried_again_and_holds_up_nobody(web_channel, answer, said):  # T46, H2
    with receiving(answer) as receiver, pytest.raises(DeliveryFailed, match=said) as caught:
        web_channel("webhook", receiver, timeout="300ms" if "within" in said else "20s").send(an_alert())

    assert not caught.value.permanent


def test_a_huge_answer_is_left_unread(web_channel):  # T46, H2
    with receiving(endless(head(200, content_length=10 << 20), b"a" * 60000)) as receiver:
        web_channel("webhook", receiver).send(an_alert())

    assert receiver.connections == 1


def test_endless_redirects_end(web_channel):  # H2
    with receiving(redirected("/again")) as receiver, pytest.raises(DeliveryFailed, match="answered 307") as caught:
        web_channel("webhook", receiver, redirects=3).send(an_alert())

    assert caught.value.permanent
    assert receiver.connections == 4


def test_a_redirect_inside_is_refused(web_channel):  # T45
    with (
        receiving(redirected("http://169.254.169.254/")) as receiver,
        pytest.raises(DeliveryFailed, match=r"169\.254\.169\.254 is link-local") as caught,
    ):
        web_channel("webhook", receiver, redirects=3, ports=[receiver.port, 80]).send(an_alert())

    assert caught.value.permanent


def test_where_a_name_leads_is_judged_when_it_is_sent(clock):  # T45
    # Whatever this machine's resolver says, `localhost` is inside.
    channel = make("webhook", {"url": "https://localhost/hook", "key": KEY}, clock=clock)

    with pytest.raises(DeliveryFailed, match=r"localhost leads to .* which is loopback") as caught:
        channel.send(an_alert())

    assert caught.value.permanent


# --- how it is configured ---


@pytest.mark.parametrize("kind", ["webhook", "slack", "teams"])
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"address": "http://hook.example.com/hush"}, "must begin with https://"),
        ({"address": "https://10.0.0.1/hush"}, r'10\.0\.0\.1 is private; networks = \["10\.0\.0\.1"\] allows it'),
        ({"address": "https://hook.example.com:8080/hush"}, "port 8080 is not allowed"),
        ({"address": "https://u:hush@hook.example.com/"}, "no user"),
        ({"networks": ["10.0.0.1/8"]}, "host bits"),
        ({"ports": [0]}, "ports: 0"),
        ({"ports": "https"}, "'https' must be a whole number"),
        ({"redirects": 99}, "redirects: 99"),
        ({"timeout": "0s"}, "timeout: it is 0s"),
        ({"timeout": "2m"}, "a minute at most"),
    ],
)
def test_an_address_that_can_never_be_reached_is_refused_at_the_start(clock, kind, options, said):  # T45, R64
    name = "url" if kind == "webhook" else "webhook"
    given = {"address": "https://hook.example.com/hush"} | options
    given[name] = given.pop("address")
    given |= {"key": KEY} if kind == "webhook" else {}

    with pytest.raises(ConfigurationError, match=said) as caught:
        make(kind, given, clock=clock)

    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("key", ["hush-hush-hush", "whsec_", "whsec_c2hvcnQ=", "whsec_not base64!", f"{KEY} hush"])
def test_a_key_that_is_none_is_refused_and_not_shown(clock, key):  # T47, R64, R65
    with pytest.raises(ConfigurationError, match=r"key: it must be whsec_ and the base64 form|needs key") as caught:
        make("webhook", {"url": "https://hook.example.com/", "key": key}, clock=clock)

    assert "hush" not in str(caught.value)


def test_a_webhook_without_a_key_is_refused(clock):  # T47
    with pytest.raises(ConfigurationError, match="needs key"):
        make("webhook", {"url": "https://hook.example.com/"}, clock=clock)


def test_no_sink_shows_what_a_channel_keeps_secret(clock):  # R65, T52
    make("slack", {"webhook": "https://hooks.example.com/services/T000/B000/abcdef"}, clock=clock)

    assert redacted("post to https://hooks.example.com/services/T000/B000/abcdef") == "post to ***"
    assert redacted("/services/T000/B000/abcdef: 404") == "/***: 404"
