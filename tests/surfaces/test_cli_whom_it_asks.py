"""With `--url` each command asks the server and nobody else, or says that it cannot: none works on what is here."""

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from rota.cli.root import root
from rota.cli.session import Session
from rota.errors import ServerUnreachable
from rota.exits import Exit
from tests.surfaces.conftest import error

URL = "http://127.0.0.1:8765"

HERE = {
    "start", "serve", "watchdog", "bench", "config check", "db check", "db prune", "db sql", "db status",
    "db upgrade",
}  # fmt: skip
"""What works where the application is, and nowhere else."""

ALIKE = {
    "completion", "config env", "init", "generate compose", "generate cron", "generate dockerfile", "generate eb",
    "generate eventbridge", "generate grafana", "generate k8s", "generate openapi", "generate procfile",
    "generate prometheus-rules", "generate systemd",
}  # fmt: skip
"""What asks nobody: it writes what there is to be, here or on a host that asks the server of `--url`."""

MORE = {
    "alerts mute": ["x", "--for", "1h"],
    "backfill": ["x", "--since", "2d", "--until", "1d"],
    "cancel": ["x"],
    "import": ["crontab", __file__],
    "limits set": ["job", "x", "--running", "1", "--reason", "x"],
    "resume": ["x"],
    "retry": ["x"],
    "schedules override": ["x", "--when", "hourly"],
    "tenants set": ["x", "--weight", "2"],
}
"""What a command is told, where that cannot be guessed from what it takes."""


class Nobody:
    """A line at whose other end nobody is."""

    url = URL

    def exchange(self, *_asked: object, **_more: object) -> None:
        raise ServerUnreachable(f"{URL} does not answer")


def commands(group: click.Group = root, *before: str) -> Iterator[tuple[str, click.Command]]:
    """Yield each command that is none of commands, with its whole name."""
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        if isinstance(command, click.Group):
            yield from commands(command, *before, name)
        else:
            yield " ".join([*before, name]), command


COMMANDS = dict(commands())


def told(name: str) -> list[str]:
    """Return a whole line: the command with a word for each thing that it needs."""
    words = []
    for one in COMMANDS[name].params if name not in MORE else ():
        if one.required:
            value = one.type.choices[0] if isinstance(one.type, click.Choice) else "x"
            words += [value] if isinstance(one, click.Argument) else [one.opts[0], value]
    return [*name.split(), *MORE.get(name, words)]


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - ALIKE))
def test_a_server_is_asked_or_the_command_says_that_it_cannot(name, tmp_path):  # R63
    session = Session(line=Nobody(), directory=tmp_path)

    result = CliRunner().invoke(root, ["--url", URL, "--yes", "--json", *told(name)], obj=session, input="a word")

    expected = (Exit.USAGE, "usage") if name in HERE else (Exit.UNREACHABLE, "server_unreachable")
    assert (result.exit_code, error(result)["code"]) == expected, result.stderr
    assert name not in HERE or "leave --url and ROTA_URL out" in error(result)["message"]
    assert not list(tmp_path.iterdir())


def test_every_exception_is_a_command():
    assert COMMANDS.keys() >= HERE | ALIKE | MORE.keys()
