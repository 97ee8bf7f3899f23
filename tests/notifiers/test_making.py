"""Channels are made from plain options, and what is wrong with those is said when they are made."""

from typing import Annotated

import msgspec
import pytest

from rota import notifiers
from rota.core.masking import Secret
from rota.errors import ConfigurationError, UnknownSetting
from rota.notifiers import make
from rota.notifiers.options import shown


class Radio(msgspec.Struct, frozen=True, kw_only=True):
    """A channel that the tests add."""

    frequency: Annotated[int, "MHz"]
    key: Secret[str] = ""

    __repr__ = shown


@pytest.fixture(autouse=True)
def radio(monkeypatch):
    monkeypatch.setattr(notifiers, "KINDS", ("log", "radio"))
    monkeypatch.setattr(notifiers, "parts_of", lambda kind: (Radio, lambda options, clock: options))


@pytest.fixture
def made(clock):
    def made(**options):
        return make("radio", options, clock=clock, where="[[alerts.channel]] 2 in rota.toml")

    return made


def test_an_unknown_kind_names_the_one_that_was_probably_meant(clock):  # R64
    with pytest.raises(ConfigurationError, match="no channel of kind 'lgo'; did you mean 'log'"):
        make("lgo", {}, clock=clock)


def test_a_kind_that_resembles_nothing_names_those_that_there_are(clock):  # R64
    with pytest.raises(ConfigurationError, match="there are: log, radio"):
        make("carrier pigeon", {}, clock=clock)


def test_an_unknown_option_names_the_place_and_the_one_that_was_probably_meant(made):  # R64
    with pytest.raises(UnknownSetting, match=r"unknown setting 'frequenzy' in .*channel\]\] 2 .*'frequency'"):
        made(frequenzy=100)


def test_only_a_secret_can_stand_in_a_file(made):
    with pytest.raises(UnknownSetting, match="frequency_file"):
        made(frequency_file="x")


def test_an_option_that_is_missing_is_named(made):  # R64
    with pytest.raises(ConfigurationError, match=r"2 in rota.toml needs frequency"):
        made(key="k")


def test_a_value_of_the_wrong_type_is_named(made):  # R64
    with pytest.raises(ConfigurationError, match=r"frequency of .*2 in rota.toml: 'high' must be a whole number"):
        made(frequency="high")


def test_a_secret_is_read_from_its_file_beside_the_configuration(clock, tmp_path):
    (tmp_path / "key").write_text("hush\n")

    made = make("radio", {"frequency": 1, "key_file": "key"}, clock=clock, directory=tmp_path)

    assert made.key == "hush"


def test_a_secret_is_read_from_the_environment_where_it_says_so(clock):
    made = make("radio", {"frequency": 1, "key": "env:RADIO_KEY"}, clock=clock, env={"RADIO_KEY": "hush"})

    assert made.key == "hush"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"key_file": "nowhere"}, "key_file of .* nowhere, which cannot be read: No such file"),
        ({"key": "env:NOT_SET"}, "it is env:NOT_SET, and NOT_SET is not set"),
        ({"key": 7}, "key of .*: it must be text"),
    ],
)
def test_a_secret_that_cannot_be_had_is_said_when_the_channel_is_made(made, options, said):  # R64
    with pytest.raises(ConfigurationError, match=said):
        made(frequency=1, **options)


def test_a_secret_is_not_shown(made):  # R65
    assert repr(made(frequency=1, key="hush")) == "Radio(frequency=1, key=***)"
