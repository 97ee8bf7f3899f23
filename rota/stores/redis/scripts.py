"""The scripts: one Lua file per transition in `lua/`, and in `lua/shared/` what several of them use.

A script is put together from `base.lua`, the shared files that its first line names, and its own: `-- uses: runs line`.
"""

from functools import cache
from hashlib import sha1
from importlib.resources import files
from typing import NamedTuple

USES = "-- uses:"


class Script(NamedTuple):
    """A script as the server takes it, and the name under which the server keeps it."""

    text: bytes
    sha: str


@cache
def script(name: str) -> Script:
    """Return the script of a transition."""
    own = _text(f"{name}.lua")
    first = own.partition("\n")[0]
    shared = first.removeprefix(USES).split() if first.startswith(USES) else []
    parts = [_text(f"shared/{part}.lua") for part in ("base", *shared)]
    text = "\n".join([*parts, own]).encode()
    return Script(text, sha1(text, usedforsecurity=False).hexdigest())


def _text(path: str) -> str:
    return (files("rota.stores.redis") / "lua" / path).read_text(encoding="utf-8")
