"""Every command that a page shows exists, with the options that it is shown with."""

import re
import shlex

import click
import pytest

from rota.cli.root import root
from tests.house.source import files, shown

COMMAND = re.compile(r"^\$ (?:\w+=\S+ )*rota ([^|&;\n]*?)(?:\s+#.*)?$", re.MULTILINE)
BLOCK = re.compile(r"^```(?:console|sh|text)?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PAGES = [
    path
    for path in files(".md")
    if shown(path).startswith(("README.md", "docs/guide/", "docs/migrate/", "docs/operate/", "examples/casework/"))
]
SHOWN = [
    (path, line.group(1).strip())
    for path in PAGES
    for block in BLOCK.finditer(path.read_text(encoding="utf-8"))
    for line in COMMAND.finditer(block.group(1))
]


def command_of(words):
    """Return the command that these words name, and what is left of them."""
    command, left, context = root, list(words), click.Context(root)
    while isinstance(command, click.Group):
        named = next((word for word in left if not word.startswith("-")), None)
        found = command.get_command(context, named) if named is not None else None
        if found is None:
            break
        left.remove(named)
        command = found
    # A group without a word lists.
    listed = command.get_command(context, "list") if isinstance(command, click.Group) else None
    return listed or command, left


def options_of(command):
    return {option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]}


@pytest.mark.parametrize(("path", "line"), SHOWN, ids=[f"{shown(path)}: {line}" for path, line in SHOWN])
def test_a_command_of_a_page_exists_with_its_options(path, line):  # R63
    command, left = command_of(shlex.split(line))

    assert command is not root or not left or left[0].startswith("-"), f"no command: {line}"
    known = options_of(command) | options_of(root) | {"-h", "--help"}
    said = {word.partition("=")[0] for word in left if re.fullmatch(r"--?[a-z][\w-]*(=.*)?", word)}
    assert said <= known


def test_pages_show_commands():
    assert len(SHOWN) > 60
