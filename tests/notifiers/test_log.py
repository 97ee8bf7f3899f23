"""The channel that writes alerts to the log."""

import logging

import pytest

from rota.core.alert import Stage
from rota.notifiers import make
from tests.values import an_alert


@pytest.fixture
def channel(clock):
    return make("log", {}, clock=clock)


@pytest.mark.parametrize(
    ("stage", "level"),
    [
        (Stage.OPENED, logging.ERROR),
        (Stage.REMINDER, logging.ERROR),
        (Stage.RECOVERED, logging.INFO),
        (Stage.TEST, logging.INFO),
    ],
)
def test_what_is_wrong_is_an_error_and_what_is_right_again_is_not(channel, caplog, stage, level):  # R50
    caplog.set_level(logging.INFO)

    channel.send(an_alert(stage=stage))

    [record] = caplog.records
    assert record.levelno == level


def test_the_line_names_what_happened_and_carries_the_facts(channel, caplog):  # R50
    alert = an_alert()

    channel.send(alert)

    [record] = caplog.records
    assert record.getMessage() == f"opened: {alert.title}: {alert.error}"
    assert (record.alert, record.incident, record.job, record.tenants) == (alert.id, alert.incident, "email_sync", 12)


def test_an_alert_is_one_line_whatever_is_in_it(channel, caplog):  # R65, T31
    channel.send(an_alert(title="a\r\nERROR forged", error="\x1b[31mred\u2028next"))

    [record] = caplog.records
    assert record.getMessage() == "opened: a\\r\\nERROR forged: \\x1b[31mred\\u2028next"
