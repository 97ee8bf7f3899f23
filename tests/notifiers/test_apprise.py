"""Alerts through the real Apprise, to a receiver of its own kind."""

import logging
import sys

import pytest

from rota.core.alert import Stage
from rota.errors import ConfigurationError, DeliveryFailed, MissingExtra
from rota.notifiers import make
from rota.notifiers.apprise import AppriseChannel
from tests.receiver import answered, hanging, receiving
from tests.values import an_alert

# Of a plugin of Apprise's, which loads all of them.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")


@pytest.fixture
def channel(clock):
    """Make a channel to a receiver: one of the services that Apprise knows posts JSON."""

    def channel(receiver, **options):
        return make("apprise", {"url": f"json://u:hushhush@127.0.0.1:{receiver.port}/"} | options, clock=clock)

    return channel


@pytest.mark.parametrize(
    ("stage", "kind"),
    [(Stage.OPENED, "failure"), (Stage.REMINDER, "failure"), (Stage.RECOVERED, "success"), (Stage.TEST, "info")],
)
def test_the_alert_arrives(channel, stage, kind):  # R50
    with receiving() as receiver:
        channel(receiver).send(an_alert(stage=stage))

    [request] = receiver.requests
    content = request.json()
    assert content["type"] == kind
    assert "email_sync is failing for 12 tenants" in content["title"]
    assert "AUTHENTICATIONFAILED" in content["message"]


def test_what_is_not_accepted_is_tried_again(channel):
    with receiving(answered(500)) as receiver, pytest.raises(DeliveryFailed, match="Apprise could not") as caught:
        channel(receiver).send(an_alert())

    assert not caught.value.permanent


def test_a_service_that_is_slow_holds_up_nobody_for_long(channel):  # H2
    with receiving(hanging) as receiver, pytest.raises(DeliveryFailed):
        channel(receiver, timeout="300ms").send(an_alert())


@pytest.mark.parametrize("url", ["nonsense://hushhush@x", "hushhush", "json://"])
def test_a_url_that_apprise_does_not_know_is_refused_and_shown_nowhere(clock, caplog, url):  # R64, R65
    caplog.set_level(logging.DEBUG)

    with pytest.raises(ConfigurationError, match="none that it understands") as caught:
        make("apprise", {"url": url}, clock=clock)

    assert "hushhush" not in str(caught.value)
    assert "hushhush" not in caplog.text


def test_the_log_of_apprise_is_heard_again_afterwards(channel):
    with receiving() as receiver:
        channel(receiver)

    assert not logging.getLogger("apprise").disabled


def test_without_the_extra_it_is_said_what_to_install(clock, monkeypatch):  # R64
    monkeypatch.setitem(sys.modules, "apprise", None)

    with pytest.raises(MissingExtra, match=r"rota\[apprise\]"):
        make("apprise", {"url": "json://localhost"}, clock=clock)


def test_the_channel_keeps_its_secret(channel):  # R65
    with receiving() as receiver:
        made = channel(receiver)

    assert isinstance(made, AppriseChannel)
    assert "hushhush" not in repr(made)
