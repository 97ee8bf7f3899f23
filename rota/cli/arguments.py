"""Arguments of a job as they are typed: `--arg name=value`, `--args-json`."""

import getpass
import json
import sys
from collections.abc import Sequence

import click


def keywords(texts: Sequence[str]) -> dict[str, object]:
    """Return the arguments that `--arg name=value` names; a value that is JSON is read as such, else it is text."""
    found: dict[str, object] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise click.UsageError(f"--arg {text!r}: write name=value")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def from_json(text: str | None) -> tuple[list[object], dict[str, object]]:
    """Return what `--args-json` holds: a list of arguments, or an object of named ones. `-` is standard input."""
    if text is None:
        return [], {}
    try:
        value = json.loads(sys.stdin.read() if text == "-" else text)
    except ValueError as error:
        raise click.UsageError(f"--args-json is not JSON: {error}") from error
    if isinstance(value, list):
        return value, {}
    if isinstance(value, dict):
        return [], value
    raise click.UsageError("--args-json must be a list of arguments, or an object of named ones")


def names(texts: Sequence[str]) -> tuple[str, ...]:
    """Return the names of tenants that stand in texts such as `acme,globex`, each by itself."""
    found = tuple(word for text in texts for word in map(str.strip, text.split(",")) if word)
    if texts and not found:
        # A variable of a shell that is empty must not mean everybody, nor spare nobody.
        raise click.UsageError(f"a tenant is called {texts[0]!r} nowhere: name one, or leave the flag out")
    return found


def actor() -> str:
    """Return who asks, for the record: the user of this terminal."""
    try:
        return f"cli:{getpass.getuser()}"
    except (OSError, KeyError):
        # A container may run under a number that has no name.
        return "cli"
