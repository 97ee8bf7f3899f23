"""Write the pages of docs/reference/ from the code: commands, settings, channels, events; and what other pages print.

`make docs` writes them; a test of the house fails when a page and the code differ.
"""

import inspect
import json
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click
from msgspec.structs import fields

from rota.cli.root import root
from rota.core import events
from rota.exits import MEANINGS
from rota.notifiers import KINDS, parts_of
from rota.operations.texts import field_texts
from rota.settings import Settings
from rota.settings.reading import SECTIONS, written
from rota.views.configuration import configuration
from scripts import host_pages
from scripts.http_reference import http_page

PAGES = Path(__file__).parents[1] / "docs" / "reference"
WRITTEN = "*Written by `make docs` from the code; do not edit.*\n"


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command with the words that call it, in the order of `rota --help`."""
    yield from _inside("rota", root, click.Context(root))


def _inside(words: str, group: click.Group, ctx: click.Context) -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None, f"{words} {name} is listed and does not exist"
        yield f"{words} {name}", command
        if isinstance(command, click.Group):
            yield from _inside(f"{words} {name}", command, click.Context(command, parent=ctx, info_name=name))


def commands_page() -> str:
    """Return the page of commands."""
    parts = ["# Commands\n", WRITTEN, "Every command takes the global flags, before or after its name.\n"]
    parts.append("## Global flags\n")
    parts.append(_options(root))
    parts.append("## Exit codes\n")
    parts.append(
        "| code | meaning |\n|---|---|\n" + "".join(f"| {int(c)} | {text} |\n" for c, text in MEANINGS.items())
    )
    for words, command in commands():
        ctx = click.Context(command, info_name=words)
        usage = " ".join([words, *command.collect_usage_pieces(ctx)])
        parts.append(f"## {words}\n\n```\n{usage}\n```\n")
        parts.append(inspect.cleandoc(command.help or "").replace("\b\n", "") + "\n")
        parts.append(_options(command))
        exits = {int(code): text for code, text in getattr(command, "exits", {}).items()}
        if exits:
            parts.append("Ends with " + "; ".join(f"{code}: {text}" for code, text in exits.items()) + ".\n")
    return "\n".join(part for part in parts if part)


def _options(command: click.Command) -> str:
    rows = []
    for param in command.params:
        if isinstance(param, click.Option) and not param.hidden:
            ctx = click.Context(command, info_name=command.name)
            names, text = param.get_help_record(ctx) or ("", "")
            # A bar would end the cell.
            rows.append("| `{}` | {} |\n".format(names.replace("|", "\\|"), text.replace("|", "\\|")))
    return "| flag | meaning |\n|---|---|\n" + "".join(rows) if rows else ""


def settings_page() -> str:
    """Return the page of settings."""
    described = {
        f"{prefix}{name}": text
        for prefix, kind in [("", Settings), *((f"{name}.", kind) for name, kind in SECTIONS.items())]
        for name, text in field_texts(kind).items()
    }
    parts = [
        "# Settings\n",
        WRITTEN,
        "A flag wins over the environment, the environment over the profile in the file, the profile over the rest of"
        " the file. The file is `rota.toml`, or `[tool.rota]` in `pyproject.toml`. `rota config show` says where each"
        " value comes from.\n",
    ]
    section = None
    for setting in configuration(Settings()):
        name = setting.key.rpartition(".")[0]
        if name != section:
            section = name
            parts.append(f"## [{name}]\n\n{inspect.getdoc(SECTIONS[name])}\n" if name else "## Top level\n")
        default = f"`{setting.default}`" if setting.default else "empty"
        parts.append(f"### {setting.key}\n\nDefault {default}; environment `{setting.variable}`.\n")
        parts.append(described[setting.key] + "\n")
    return "\n".join(parts)


def channels_page() -> str:
    """Return the page of the channels of alerts and their options."""
    parts = [
        "# Channels of alerts\n",
        WRITTEN,
        "What stands in an `[[alerts.channel]]` table besides `kind`, `name` and `on`. A secret may be written as"
        " itself, as `env:NAME`, or as `<option>_file`, a path from the folder of the configuration.\n",
    ]
    for kind in KINDS:
        structure, _ = parts_of(kind)
        parts.append(f"## {kind}\n\n{inspect.getdoc(structure)}\n")
        described = field_texts(structure)
        # What only this kind has comes first.
        own = inspect.get_annotations(structure)
        for field in sorted(fields(structure), key=lambda field: field.name not in own):
            default = "Required" if field.required else f"Default `{_shown(field.default)}`"
            parts.append(f"### {kind}: {field.name}\n\n{default}. {described[field.name]}\n")
    return "\n".join(parts)


def _shown(default: object) -> str:
    return json.dumps(list(default) if isinstance(default, tuple) else written(default) if default else default)


def event_classes() -> list[type[events.Event]]:
    """Return every event, in the order of the module."""
    return [
        value
        for value in vars(events).values()
        if isinstance(value, type) and issubclass(value, events.Event) and value.__module__ == events.__name__
    ]


def events_page() -> str:
    """Return the page of events."""
    parts = ["# Events\n", WRITTEN, "Subscribe with `@rota.on(RunStarted)`; subscribing to `Event` hears everything.\n"]
    for kind in event_classes():
        parts.append(f"## {kind.__name__}\n\n{inspect.getdoc(kind)}\n")
        fields = inspect.get_annotations(kind)
        if fields:
            rows = (f"| `{name}` | `{getattr(kind_of, '__name__', kind_of)}` |\n" for name, kind_of in fields.items())
            parts.append("| field | type |\n|---|---|\n" + "".join(rows))
    return "\n".join(parts)


def pages() -> dict[str, str]:
    """Return the text of every page by file name."""
    made = {
        "commands.md": commands_page(),
        "settings.md": settings_page(),
        "channels.md": channels_page(),
        "events.md": events_page(),
        "http.md": http_page(),
    }
    return {name: textwrap.dedent(text).rstrip() + "\n" for name, text in made.items()}


if __name__ == "__main__":
    PAGES.mkdir(parents=True, exist_ok=True)
    for file_name, page in pages().items():
        (PAGES / file_name).write_text(page, encoding="utf-8")
        print(f"docs/reference/{file_name}")
    for path in host_pages.PAGES:
        path.write_text(host_pages.filled(path.read_text(encoding="utf-8")), encoding="utf-8")
