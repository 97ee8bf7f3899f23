"""What a server promises: asked at the start, and told to an operator (R70)."""

from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum

from msgspec import Struct

from rota.errors import SchemaMismatch, StoreUnavailable, UnsafeStore
from rota.stores.redis.server import Server

SCHEMA = 1
"""How the keys are laid out. Grows when code of before must not work on what this writes."""

OLDEST = (6, 0)
"""What our scripts need. Redis 5 replicates scripts, not what they wrote."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Durability(StrEnum):
    """What of the work survives the server."""

    ALWAYS = "always"
    """Appended to a file and synced with each write."""
    EVERYSEC = "everysec"
    """The same, synced once a second."""
    VOLATILE = "volatile"
    """Nothing that can be counted on."""


PROMISES = {
    Durability.ALWAYS: "safe against a kill and a power loss; a failover may lose the last writes",
    Durability.EVERYSEC: "safe against a kill; a power loss may lose a second, a failover the last writes",
    Durability.VOLATILE: "none: everything is lost with the server",
}


class Permits(Struct, frozen=True, kw_only=True):
    """What an operator takes upon himself, in the query of the URL."""

    volatile: bool = False
    """`allow_volatile=true`: a server that loses work will do."""
    open: bool = False
    """`allow_open=true`: a server that anybody on the network may write to will do."""
    durability: Durability | None = None
    """`durability=everysec`: what the server promises, where it may not be asked."""


class Findings(Struct, frozen=True, kw_only=True):
    """What a server says of itself; None where it does not."""

    version: str
    durability: Durability | None
    policy: str | None
    problems: tuple[str, ...]
    """Why it cannot keep work, one reason each."""


def setup(server: Server) -> None:
    """Note how the keys are laid out. Redis has nothing to create.

    It is looked first: a server without memory refuses the write, and a worker must begin there nevertheless.
    """
    if server.ask("HGET", server.key("meta"), "schema") is None:
        server.ask("HSETNX", server.key("meta"), "schema", SCHEMA)


def check(server: Server, permits: Permits, *, is_private: bool) -> None:
    """Refuse a server that cannot keep what Rota promises, or whose keys this code does not know.

    Raises:
        SchemaMismatch: the keys are laid out by newer code, or were never set up.
        UnsafeStore: it loses work, may be asked nothing, or is open to anybody; the message says how to insist.
    """
    kept = server.ask("HGET", server.key("meta"), "schema")
    if kept is None:
        raise SchemaMismatch(f"store {server.shown} is not set up yet; run: rota db upgrade")
    if int(kept) > SCHEMA:
        raise SchemaMismatch(
            f"store {server.shown} has schema {int(kept)}, and this code was written for {SCHEMA}: upgrade rota"
        )
    if not is_private and not permits.open:
        raise UnsafeStore(
            f"store {server.shown} has neither a password nor TLS, so that anybody on its network may queue work: "
            "give it a password, use rediss://, or insist with allow_open=true in the URL"
        )
    found = findings(server)
    if _release(found.version) < OLDEST:
        raise UnsafeStore(f"store {server.shown} is version {found.version}: Redis 6 or newer, or Valkey, is needed")
    if permits.volatile:
        return
    if found.problems:
        raise UnsafeStore(
            f"store {server.shown} would lose work: {'; '.join(found.problems)}. Change that on the server, or insist "
            "with allow_volatile=true in the URL"
        )
    if found.durability is None and permits.durability is None:
        raise UnsafeStore(
            f"store {server.shown} does not tell how it keeps its data: say what it promises with "
            "durability=always or durability=everysec in the URL, or insist with allow_volatile=true"
        )


def facts(server: Server, permits: Permits) -> Mapping[str, str]:
    """Return what an operator wants to know."""
    found = findings(server)
    durability = Durability.VOLATILE if found.problems else found.durability or permits.durability
    schema = server.ask("HGET", server.key("meta"), "schema")
    return {
        "engine": "redis",
        "store": server.shown,
        "version": found.version,
        "durability": "it does not tell" if durability is None else PROMISES[durability],
        "eviction": found.policy or "it does not tell",
        "schema": "missing" if schema is None else schema.decode(),
    }


def findings(server: Server) -> Findings:
    """Return what the server says of itself. What it does not tell is None, and no problem."""
    told = _info(server)
    policy = told.get("maxmemory_policy")
    problems = []
    if policy is not None and policy != "noeviction":
        problems.append(f"it evicts keys when memory is short (maxmemory-policy is {policy}, must be noeviction)")
    if told.get("aof_enabled") == "0":
        problems.append("it does not append to a file (appendonly is no, must be yes)")
    if told.get("aof_last_write_status", "ok") != "ok":
        problems.append("the last write of its file failed (aof_last_write_status)")
    return Findings(
        version=told.get("valkey_version") or told.get("redis_version") or "unknown",
        durability=_durability(server, told),
        policy=policy,
        problems=tuple(problems),
    )


def _durability(server: Server, told: Mapping[str, str]) -> Durability | None:
    if told.get("aof_enabled") is None:
        return None
    if told["aof_enabled"] == "0":
        return Durability.VOLATILE
    with suppress(StoreUnavailable):
        answer = server.ask("CONFIG", "GET", "appendfsync")
        values = list(answer.values()) if isinstance(answer, dict) else answer[1:2]
        for value in values:
            fsync = value.decode() if isinstance(value, bytes) else str(value)
            return Durability.ALWAYS if fsync == "always" else Durability.EVERYSEC if fsync == "everysec" else None
    # It may not be asked, or lets the system sync when it likes: then the operator has to say.
    return None


def _info(server: Server) -> dict[str, str]:
    """Return what INFO says, or nothing where this account may not ask."""
    with suppress(StoreUnavailable):
        answer = server.ask("INFO")
        return {str(name): str(value) for name, value in answer.items()}
    return {}


def _release(version: str) -> tuple[int, ...]:
    numbers = [int(part) for part in version.split(".")[:2] if part.isdigit()]
    # One that does not tell is taken for new enough: its first script would say otherwise.
    return tuple(numbers) or OLDEST
