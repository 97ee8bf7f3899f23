"""Every command, setting and event stands in the reference, and the reference says what the code says."""

import re

import pytest
from msgspec.structs import fields

from rota import errors
from rota.notifiers import KINDS as CHANNELS
from rota.notifiers import parts_of
from rota.settings.reading import KINDS
from scripts.reference import PAGES, commands, event_classes, pages

# One worker reads all files, and keeps them; each of four would take seconds and 100 MB for it.
pytestmark = pytest.mark.xdist_group("house")


def read(name):
    return (PAGES / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["commands.md", "settings.md", "channels.md", "events.md"])
def test_the_reference_says_what_the_code_says(name):
    assert read(name) == pages()[name], "run: make docs"


def test_every_command_is_documented_and_says_what_it_does():
    page = read("commands.md")

    assert [words for words, command in commands() if f"## {words}\n" not in page or not command.help] == []


def test_every_setting_is_documented():
    page = read("settings.md")

    assert [key for key in KINDS if f"### {key}\n" not in page] == []


def test_every_event_is_documented_and_says_when_it_happens():
    page = read("events.md")

    assert [kind.__name__ for kind in event_classes() if f"## {kind.__name__}\n" not in page or not kind.__doc__] == []


def test_every_error_stands_in_the_tree_on_top_of_its_file():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.RotaError)]
    words = re.findall(r"\w+", errors.__doc__ or "")

    assert [kind.__name__ for kind in kinds if words.count(kind.__name__) != 1] == []


def test_every_option_of_every_channel_is_documented():
    page = read("channels.md")

    names = [f"{kind}: {field.name}" for kind in CHANNELS for field in fields(parts_of(kind)[0])]
    assert [name for name in names if f"### {name}\n" not in page] == []
