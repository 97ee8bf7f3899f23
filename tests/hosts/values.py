"""A site, and what its files say."""

import re
import shlex
from datetime import timedelta
from typing import Any

import click

from rota.cli.root import root
from rota.hosts import HOSTS, files_for, site_of
from rota.settings import Settings

URL = "https://jobs.example.org"
ROTA = re.compile(r"(?:^|[\s/\"'])rota(?=[\s\"'])")


def a_site(settings: Settings | None = None, **said: Any):
    usual = {
        "name": "rota", "environment": {"ROTA_APP": "app:rota"},
        "directory": "/srv/app", "user": "app", "command": ("/usr/bin/rota",),
        "image_command": ("rota",), "image": "registry.example.org/app:1", "url": "", "store_url": "mysql+pymysql://db/x",
        "timeouts": [timedelta(minutes=15)], "python": "3.11",
    }  # fmt: skip
    return site_of(settings or Settings(), **usual | said)


def written(host: str, settings: Settings | None = None, **said: Any) -> dict[str, str]:
    """Return the texts of a host's files by name."""
    return {file.name: file.text for file in files_for(host, a_site(settings, **said))}


def everything(settings: Settings | None = None, **said: Any) -> dict[str, str]:
    """Return every file of every host, with and without a server."""
    return {
        f"{host}{' of a server' if url else ''}: {name}": text
        for host, kind in HOSTS.items()
        for url in ("", URL)
        if url or not kind.needs_url
        for name, text in written(host, settings, url=url, **said).items()
    }


def is_command(words: list[str]) -> bool:
    """Return whether Rota takes these words; what is wrong with them is raised."""
    with root.make_context("rota", list(words)) as context:
        rest = [*context._protected_args, *context.args]
        command, name = root, "rota"
        while isinstance(command, click.Group):
            name, command, rest = command.resolve_command(context, rest)
            assert command is not None
            if isinstance(command, click.Group):
                context = click.Context(command, parent=context, info_name=name)
        command.make_context(name, rest, parent=context)
    return True


def commands_in(text: str) -> list[list[str]]:
    """Return the words after each `rota` that a shell, a unit or a list in JSON calls."""
    found = []
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            continue
        if listed := re.search(r'\[("CMD", )?"rota", (.*)\]', line):
            found.append([word.strip('"') for word in re.findall(r'"[^"]*"', listed.group(2))])
        elif (
            called := re.search(r"(?:^|[=\s/])rota ((?:--quiet|--url|start|serve|tick|db|workers)\b.*)$", line)
        ) is not None:
            found.append(shlex.split(called.group(1).replace("$PORT", "80")))
    return found
