"""Who is told of what went wrong, as it is written in a file."""

from datetime import time, timedelta

import pytest

from rota import Rota
from rota.alerting import notifiers, telling_of
from rota.core.alert import IncidentKind
from rota.core.routing import OF_RUNS, Quiet
from rota.errors import ConfigurationError, UnknownSetting
from rota.place import heard, told
from rota.settings import AlertSettings, ChannelSettings, Settings, load
from rota.stores.memory import MemoryStore
from rota.views.configuration import configuration


@pytest.fixture
def written(tmp_path):
    """Write a rota.toml, and return the settings that it gives."""

    def write(text, **env):
        (tmp_path / "rota.toml").write_text(text, encoding="utf-8")
        return load(env=env, directory=tmp_path).alerts

    return write


def test_without_a_word_the_log_is_told_everything():  # R50
    telling = telling_of(Settings().alerts)

    assert [(channel.name, channel.kinds) for channel in telling.channels] == [("log", frozenset(IncidentKind))]
    assert telling.rules == ()


def test_channels_and_rules_are_read_as_lists_of_tables(written):  # R50
    settings = written("""
[alerts]
cool_down = "30m"
[[alerts.channel]]
kind = "email"
name = "ops"
to = ["ops@example.org"]
smtp = "smtp://localhost:1025"
on = ["failed", "stale", "recovered"]
[[alerts.channel]]
kind = "log"
on = ["parked"]
[[alerts.rule]]
jobs = ["mail_*"]
tags = ["gold"]
channels = ["ops"]
quiet = "22:00-07:00"
zone = "Europe/Paris"
urgent = ["stopped"]
""")
    ops, log = settings.channels()
    [rule] = settings.rules()

    assert settings.cool_down == timedelta(minutes=30)
    assert (ops.name, ops.kinds, ops.recoveries) == ("ops", OF_RUNS | {IncidentKind.STALE}, True)
    assert settings.channel[0].options == {"to": ["ops@example.org"], "smtp": "smtp://localhost:1025"}
    assert (log.name, log.kinds, log.recoveries) == ("log", {IncidentKind.PARKED}, False)
    assert (rule.jobs, rule.tags, rule.channels) == (("mail_*",), ("gold",), ("ops",))
    assert rule.quiet == Quiet(start=time(22), end=time(7), zone="Europe/Paris")
    assert rule.urgent == {IncidentKind.STOPPED}


def test_what_is_told_of_ends_alone_is_told_of_every_kind(written):  # R50
    [channel] = written('[[alerts.channel]]\nkind = "log"\non = ["recovered"]').channels()

    assert (channel.kinds, channel.recoveries) == (frozenset(IncidentKind), True)


def test_an_environment_names_channels_as_json(written):  # R50
    settings = written("", ROTA_ALERTS__CHANNEL='[{"kind": "log", "name": "l"}]')

    assert [channel.called for channel in settings.channel] == ["l"]


def test_what_a_channel_has_in_the_environment_is_read_from_there(written):  # R65
    settings = written('[[alerts.channel]]\nkind = "slack"\nurl = "env:SLACK"', SLACK="https://hooks.example")

    assert settings.channel[0].options == {"url": "https://hooks.example"}


def test_a_file_that_a_channel_names_is_found_from_where_the_settings_stand(written, tmp_path):  # R65
    settings = written('[[alerts.channel]]\nkind = "slack"\nurl_file = "secrets/slack"')

    assert settings.channel[0].options == {"url_file": str(tmp_path / "secrets/slack")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[alerts]\ncooldown = "1h"', r"alerts\.cooldown.*cool_down"),
        ('[alerts]\ncool_down = "0s"', "must be longer"),
        ('[alerts]\nchannel = "ops"', r"list of tables: \[\[alerts.channel\]\]"),
        ('[[alerts.channel]]\nname = "ops"', "needs a kind"),
        ('[[alerts.channel]]\nkind = "slack"\nurl = "env:SLACK"', "SLACK is not set"),
        ('[[alerts.channel]]\nkind = "log"\non = ["faild"]', "did you mean 'failed'"),
        ('[[alerts.channel]]\nkind = "log"\n[[alerts.channel]]\nkind = "log"', "two are called 'log'"),
        ('[[alerts.rule]]\njob = ["x"]', r"job.*alerts\.rule.*jobs"),
        ("[[alerts.rule]]\njobs = 7", "jobs of"),
        ('[[alerts.rule]]\nchannels = ["opps"]', "no channel 'opps'"),
        ('[[alerts.rule]]\non = ["everything"]', "is no kind of incident"),
        ('[[alerts.rule]]\nquiet = "night"', "22:00-07:00"),
        ('[[alerts.rule]]\nquiet = "07:00-07:00"', "22:00-07:00"),
        ('[[alerts.rule]]\nquiet = "22:00-07:00"\nzone = "Paris"', "no time zone"),
    ],
)
def test_what_is_not_understood_is_refused_with_the_way_out(written, text, message):  # R64
    with pytest.raises(ConfigurationError, match=message):
        written(text)


@pytest.mark.parametrize("options", [{"kind": "emial"}, {"kind": "log", "options": {"urgency": 1}}])
def test_a_channel_that_does_not_exist_or_an_option_that_it_has_not_is_refused_at_the_start(options):  # R64
    alerts = AlertSettings(channel=(ChannelSettings(**options),))
    app = Rota(MemoryStore(), settings=Settings(alerts=alerts))

    with pytest.raises((ConfigurationError, UnknownSetting), match=r"emial|urgency"):
        app.crew()


def test_a_process_that_does_not_watch_needs_no_channel():  # R50
    alerts = AlertSettings(channel=(ChannelSettings(kind="emial"),))

    assert "alerter" not in Rota(MemoryStore(), settings=Settings(alerts=alerts)).crew(watches=False).services


def test_settings_show_which_options_a_channel_has_and_no_value_of_them():  # R65
    alerts = AlertSettings(channel=(ChannelSettings(kind="webhook", options={"url": "https://canary", "secret": "x"}),))
    settings = Settings(alerts=alerts)

    shown = {setting.key: setting.value for setting in configuration(settings)}

    assert shown["alerts.channel"] == "webhook(kind, url, secret)"
    assert "canary" not in repr(settings)


def test_child_processes_are_not_told_of_channels():  # R65, T55
    channel = ChannelSettings(kind="webhook", options={"url": "https://canary"})
    code = Settings(alerts=AlertSettings(channel=(channel,)))

    assert not any("canary" in text or "webhook" in text for text in told(code).values())
    assert heard(told(code), code=Settings()).alerts.channel == ()


def test_each_channel_has_a_notifier_of_its_own():  # R50
    alerts = AlertSettings(channel=(ChannelSettings(kind="log", name="a"), ChannelSettings(kind="log", name="b")))

    assert list(notifiers(alerts, clock=Rota(MemoryStore()).clock)) == ["a", "b"]
