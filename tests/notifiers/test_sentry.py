"""Alerts as events of Sentry: what it takes, and a project that cannot be."""

import json

import pytest

from rota.core.alert import Stage
from rota.errors import ConfigurationError, DeliveryFailed
from rota.notifiers import make
from tests.notifiers.test_email import NASTY
from tests.receiver import answered, receiving
from tests.values import an_alert


def dsn(receiver):
    return f"http://public@127.0.0.1:{receiver.port}/before/7"


def event(request):
    """Return the event in an envelope."""
    head, item, body, end = request.body.split(b"\n")
    assert json.loads(item) == {"type": "event"} and end == b""
    read = json.loads(body)
    assert json.loads(head) == {"event_id": read["event_id"]}
    return read


@pytest.fixture
def told(web_channel):
    """Send alerts through the channel, and return the events that arrived."""

    def told(*alerts, **options):
        with receiving(answered(200, b'{"id": "1"}')) as receiver:
            channel = web_channel("sentry", receiver, dsn=dsn(receiver), **options)
            for alert in alerts:
                channel.send(alert)
        return receiver.requests, [event(request) for request in receiver.requests]

    return told


def test_the_alert_arrives_as_an_event(told):  # R50
    alert = an_alert()

    [request], [event] = told(alert, environment="staging")

    assert request.path == "/before/api/7/envelope/"
    assert "sentry_key=public" in request.headers["x-sentry-auth"]
    assert event["logentry"] == {"formatted": alert.title}
    assert (event["level"], event["environment"]) == ("error", "staging")
    assert event["tags"]["job"] == "email_sync"
    assert event["extra"]["Error"] == alert.error


def test_a_repeated_one_has_the_same_id_and_one_issue_holds_all_of_a_job(told):  # R50
    alert = an_alert()

    _, events = told(alert, alert, an_alert(stage=Stage.RECOVERED))

    assert events[0]["event_id"] == events[1]["event_id"] != events[2]["event_id"]
    assert len({tuple(event["fingerprint"]) for event in events}) == 1
    assert [event["level"] for event in events] == ["error", "error", "info"]


@pytest.mark.parametrize("text", NASTY, ids=lambda text: ascii(text)[:30])
def test_texts_are_harmless(told, text):  # R65
    _, [event] = told(an_alert(title=text, error=text, job=text, incident=text, tenants=(text,)))

    values = [*event["tags"].values(), *event["extra"].values(), event["logentry"]["formatted"]]
    assert all(value.isprintable() for value in values)
    assert all(len(value) <= 200 for value in event["tags"].values())


def test_a_project_that_takes_no_more_says_for_how_long(web_channel):  # H2
    with receiving(answered(429, retry_after=60)) as receiver:
        channel = web_channel("sentry", receiver, dsn=dsn(receiver))
        with pytest.raises(DeliveryFailed, match="answered 429") as caught:
            channel.send(an_alert())

    assert (caught.value.permanent, caught.value.retry_after.total_seconds()) == (False, 60)


@pytest.mark.parametrize(
    ("dsn", "said"),
    [
        ("hush", "dsn: it is none"),
        ("https://sentry.example.com/7", "dsn: it is none"),
        ("https://hush@sentry.example.com/", "dsn: it is none"),
        ("https://[hush@sentry.example.com/7", "dsn: it is none"),
        ("http://hush@sentry.example.com/7", "must begin with https://"),
        ("https://hush@10.0.0.1/7", r"10\.0\.0\.1 is private"),
    ],
)
def test_a_dsn_that_cannot_work_is_refused_and_not_shown(clock, dsn, said):  # T45, R64, R65
    with pytest.raises(ConfigurationError, match=said) as caught:
        make("sentry", {"dsn": dsn}, clock=clock)

    assert "hush" not in str(caught.value)
