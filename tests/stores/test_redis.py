"""What only a Redis can do wrong, and what only its store says about it."""

import os
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from redis import exceptions

from rota.clock import SystemClock
from rota.core.model import RoundState, State
from rota.core.unique import Scope, UniqueRun
from rota.errors import ConfigurationError, MissingExtra, SchemaMismatch, StoreUnavailable, UnsafeStore
from rota.queries import RoundQuery, RunQuery
from rota.stores import open_store
from tests import servers
from tests.servers import Server, unique_name
from tests.values import (
    DAY,
    HOUR,
    NOON,
    SECOND,
    a_round,
    a_run,
    a_slot_run,
    add_rounds,
    claim,
    found,
    ids,
    lost,
    settle_all,
    states,
    succeeded,
)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A Redis whose settings may be changed: they are those of the whole server, and the other is everybody's."""
    with servers.redis() as ours:
        yield ours


@pytest.fixture
def setting(server) -> Iterator[Any]:
    """Change a setting of the server, until the end of the test."""
    before: dict[str, str] = {}

    def change(name: str, value: str) -> None:
        [kept] = dict(server.command("CONFIG", "GET", name)).values()
        before.setdefault(name, kept.decode())
        server.command("CONFIG", "SET", name, value)

    yield change
    for name, value in before.items():
        server.command("CONFIG", "SET", name, value)


@pytest.fixture
def url(server) -> str:
    return server.create_database()


@pytest.fixture
def store(url) -> Iterator[Any]:
    with closing(open_store(url)) as opened:
        opened.setup()
        yield opened


# --- at the start: C16, R70 ---


def test_a_server_that_appends_and_does_not_evict_is_taken(store):  # R70
    store.check()

    facts = store.facts()
    assert (facts["engine"], facts["eviction"], facts["schema"]) == ("redis", "noeviction", "1")
    assert "a power loss may lose a second" in facts["durability"]


def test_a_server_that_syncs_each_write_says_so(store, setting):  # R70
    setting("appendfsync", "always")

    store.check()

    assert store.facts()["durability"].startswith("safe against a kill and a power loss")


UNSAFE = [
    pytest.param("maxmemory-policy", "allkeys-lru", "maxmemory-policy is allkeys-lru, must be noeviction", id="evicts"),
    pytest.param("maxmemory-policy", "volatile-ttl", "must be noeviction", id="evicts-some"),
    pytest.param("appendonly", "no", "appendonly is no, must be yes", id="appends-nothing"),
]


@pytest.mark.parametrize(("name", "value", "said"), UNSAFE)
def test_a_server_that_would_lose_work_is_refused_with_the_reason_and_the_way_out(store, setting, name, value, said):
    # C16, R64, R70
    setting(name, value)

    with pytest.raises(UnsafeStore, match=said) as refusal:
        store.check()

    assert "allow_volatile=true" in str(refusal.value)


@pytest.mark.parametrize(("name", "value", "said"), UNSAFE)
def test_whoever_insists_may_have_it_and_is_told_what_it_promises(store, url, setting, name, value, said):  # C16, R70
    setting(name, value)

    with closing(open_store(f"{url}?allow_volatile=true")) as insisting:
        insisting.check()
        assert insisting.facts()["durability"].startswith("none")


@pytest.fixture
def silent(server, url) -> str:
    """The URL of an account that may work and may ask nothing of the server."""
    name = unique_name()
    server.command("ACL", "SETUSER", name, "on", f">{name}", "~*", "&*", "+@all", "-@admin", "-@dangerous")
    parts = urlsplit(url)
    return f"redis://{name}:{name}@{parts.hostname}:{parts.port}{parts.path}"


def test_a_server_that_may_not_be_asked_is_refused_until_somebody_says_what_it_promises(store, silent):  # R70
    with closing(open_store(silent)) as unstated, pytest.raises(UnsafeStore, match="durability=everysec"):
        unstated.check()

    with closing(open_store(f"{silent}?durability=always")) as stated:
        stated.check()
        assert stated.facts()["durability"].startswith("safe against a kill and a power loss")


def test_a_server_that_anybody_on_the_network_may_write_to_is_refused(server, setting):  # T66
    setting("requirepass", "")
    # No name that says loopback, and yet it is.
    address = f"redis://127.1:{server.port}/0"

    with closing(open_store(address)) as opened:
        opened.setup()
        with pytest.raises(UnsafeStore, match="neither a password nor TLS"):
            opened.check()
    with closing(open_store(f"{address}?allow_open=true")) as insisting:
        insisting.check()
    # Back before the fixture needs the password again.
    with closing(open_store(f"redis://127.0.0.1:{server.port}/0")) as near:
        near.check()
        near._server.ask("CONFIG", "SET", "requirepass", server.password)


def test_a_store_that_was_never_set_up_or_by_newer_code_is_refused(url):  # C20, R70
    with closing(open_store(url)) as opened:
        with pytest.raises(SchemaMismatch, match="rota db upgrade"):
            opened.check()
        opened._server.ask("HSET", "{rota}:meta", "schema", 99)
        with pytest.raises(SchemaMismatch, match="upgrade rota"):
            opened.check()


# --- its URL ---


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("redis://localhost/zero", "a number"),
        ("redis://localhost:x/0", "port"),
        ("redis://localhost/0?allow_volatil=true", "only allow_volatile"),
        ("redis://localhost/0?allow_volatile=maybe", "true or false"),
        ("redis://localhost/0?durability=surely", "always or everysec"),
    ],
)
def test_a_url_that_cannot_be_meant_is_refused(wrong, said):  # R64
    with pytest.raises(ConfigurationError, match=said):
        open_store(wrong)


@pytest.mark.parametrize("scheme", ["redis", "rediss", "valkey", "valkeys"])
def test_redis_and_valkey_are_known_with_and_without_tls(scheme):
    open_store(f"{scheme}://:secret@db.example:7000/3").close()


def test_without_the_client_the_line_that_installs_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "rota.stores.redis.opening", None)

    with pytest.raises(MissingExtra, match=r"pip install 'rota\[redis\]'"):
        open_store("redis://localhost/0")


def test_a_password_is_in_no_message(url, server):  # R65
    wrong = url.replace(server.password, "hunter2-canary")

    with closing(open_store(wrong)) as opened, pytest.raises(StoreUnavailable) as refusal:
        opened.now()

    assert "canary" not in str(refusal.value)


def test_two_prefixes_in_one_database_do_not_meet(store, url):
    run = a_run()
    with closing(open_store(url, table_prefix="other_")) as other:
        other.setup()
        other.enqueue([run], now=NOON)
        assert ids(claim(other)) == [run.id]

    assert store.runs(RunQuery()) == []


def test_all_keys_have_one_hash_tag(store):  # a cluster keeps them on one node
    store.enqueue([a_slot_run(tenant="{x}", concurrency_key="{y}", round_id="{z}", batch="{b}")], now=NOON)
    settle_all(store, *[succeeded(run) for run in claim(store)])

    keys = [key.decode() for key in store._server.ask("KEYS", "*")]
    assert {key.partition("}")[0] for key in keys} == {"{rota"}


# --- no memory: C17 ---


@pytest.fixture
def full(server, setting) -> Any:
    """Let the server have no memory left."""
    return lambda: setting("maxmemory", "1mb")


def test_without_memory_who_asks_is_told_and_nothing_is_written(store, full):  # C17, G1
    store.enqueue([a_run()], now=NOON)
    full()

    with pytest.raises(StoreUnavailable, match="nothing was written"):
        store.enqueue([a_run() for _ in range(3)], now=NOON)

    assert len(store.runs(RunQuery())) == 1
    assert store._sweep.tick() == 0


def test_without_memory_workers_still_end_their_work(store, full):  # C17, G2
    runs = [a_run(max_attempts=2), a_run(), a_run()]
    store.enqueue(runs, now=NOON)
    first, second = claim(store, limit=2, queues={"default": 2})
    full()

    assert store.renew("w1", [(first.id, first.token)], lease=HOUR, now=NOON, stamps={}).held == {first.id}
    assert settle_all(store, lost(first), succeeded(second)) == [first.id, second.id]
    [third] = claim(store, "w2", limit=1, except_jobs=frozenset())
    assert store.release("w2", [(third.id, third.token)], now=NOON) == [third.id]
    assert store.cancel([third.id], now=NOON, reason="enough") == [third.id]


# --- somebody meddles: C18 ---

ALL_SETS = ["queue:default", "leases", "scheduled", "waiting:k"]


@pytest.mark.parametrize(
    "keys",
    [["queue:default"], ["leases"], ["scheduled"], ["waiting:k"], ALL_SETS],
    ids=str,
)
def test_runs_whose_set_was_deleted_are_found_again(store, keys):  # C18
    queued, later = a_run(), a_run(due_at=NOON + HOUR)
    holding, waiting = a_run(concurrency_key="k"), a_run(concurrency_key="k")
    store.enqueue([holding], now=NOON)
    [running] = claim(store)
    store.enqueue([queued, waiting, later], now=NOON)

    store._server.ask("DEL", *[store._server.key(key) for key in keys])
    store.unblock(now=NOON)

    assert ids(claim(store, "w2")) == [queued.id]
    assert store.promote(now=NOON + HOUR) == 1
    expired = store.expired(now=NOON + timedelta(days=1))
    assert running.id in ids(expired)
    settle_all(store, succeeded(running))
    assert ids(claim(store, "w3")) == [later.id, waiting.id]


def test_one_run_that_was_taken_out_of_its_queue_is_found_again(store):  # C18
    runs = [a_run() for _ in range(3)]
    store.enqueue(runs, now=NOON)
    store._server.ask("ZREMRANGEBYRANK", store._server.key("queue", "default"), 1, 1)

    assert store._sweep.tick() == 1

    assert ids(claim(store)) == ids(runs)


def test_a_sweep_that_finds_everything_in_its_place_reads_no_run(store):  # C18
    store.enqueue([a_run(), a_run(concurrency_key="k"), a_run(due_at=NOON + HOUR), a_run(held_by="job/x")], now=NOON)
    claim(store)

    assert store._sweep._look()[0]


def test_a_member_whose_run_stands_elsewhere_is_dropped(store):  # C18
    run = a_run()
    store.enqueue([run], now=NOON)
    queue = store._server.key("queue", "default")
    [member] = store._server.ask("ZRANGE", queue, 0, -1)
    store.cancel([run.id], now=NOON, reason="enough")
    store._server.ask("ZADD", queue, 0, member)

    assert claim(store) == []

    assert states(store, run.id) == [State.CANCELLED]
    assert store._server.ask("EXISTS", queue) == 0


# --- the server forgets, cuts, or only reads: C5, C19 ---


def test_a_server_that_forgot_the_scripts_is_told_them_again(store):  # C19
    run = a_run()
    store.enqueue([run], now=NOON)
    store._server.ask("SCRIPT", "FLUSH")

    assert ids(claim(store)) == [run.id]
    store._server.ask("SCRIPT", "FLUSH")
    assert settle_all(store, succeeded(found(store, run.id))) == [run.id]


def test_connections_that_were_cut_are_made_again(store, server):  # C3
    store.now()

    server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    assert store.enqueue([a_run()], now=NOON) != []


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (exceptions.ConnectionError("Error 111 connecting to 127.0.0.1:1. Connection refused."), "nothing was written"),
        (exceptions.ConnectionError("No connection available."), "nothing was written"),
        (exceptions.BusyLoadingError("Redis is loading the dataset in memory"), "nothing was written"),
        (exceptions.ConnectionError("Connection closed by server."), "may have been written"),
        (exceptions.TimeoutError("Timeout reading from socket"), "may have been written"),
    ],
)
def test_it_is_said_whether_a_call_that_failed_may_be_repeated(store, monkeypatch, error, said):  # C3, R64
    def failed(*_, **__):
        raise error

    monkeypatch.setattr(store._server._client, "execute_command", failed)

    with pytest.raises(StoreUnavailable, match=said):
        store.enqueue([a_run()], now=NOON)


def test_a_replica_is_said_loudly(store, server):  # C5
    server.command("REPLICAOF", "127.0.0.1", "1")
    try:
        with pytest.raises(StoreUnavailable, match="nothing was written"):
            store.enqueue([a_run()], now=NOON)
    finally:
        server.command("REPLICAOF", "NO", "ONE")

    assert store.enqueue([a_run()], now=NOON) != []


def test_a_name_cannot_reach_a_key_of_another_name(store):  # T29
    names = ["a", "a:b", "queue:a", "a\x00b", "a\nb", "{rota}:open", ""]
    runs = [a_run(queue=name, concurrency_key=name) for name in names]

    store.enqueue(runs, now=NOON)

    for run in runs:
        assert ids(claim(store, f"w-{run.id}", queues={run.queue: 9})) == [run.id]


@pytest.mark.parametrize("fields", [{}, {"concurrency_key": "k"}], ids=["plain", "with a key"])
def test_a_run_that_stands_in_its_queue_twice_is_claimed_once(store, fields):  # C18, G5
    run = a_run(tenant="acme", **fields)
    store.enqueue([run], now=NOON)
    queue = store._server.key("queue", "default")
    [member] = store._server.ask("ZRANGE", queue, 0, -1)
    # The same with another turn.
    store._server.ask("ZADD", queue, 0, member[:4] + b"\x3f\xf0" + member[6:])

    assert ids(claim(store)) == [run.id]
    assert claim(store, "w2") == []


# --- waking ---


def test_what_another_process_queues_wakes_who_waits(store, url):
    store.wait(timedelta(0))
    store.wait(timedelta(0))
    assert not store.wait(timedelta(milliseconds=20))
    with closing(open_store(url)) as other:
        other.enqueue([a_run()], now=NOON)

    clock = SystemClock()
    before = clock.monotonic()
    assert store.wait(timedelta(seconds=30))
    assert clock.monotonic() - before < 10


def test_a_child_process_gets_connections_of_its_own(store):
    store.wait(timedelta(0))
    [before] = store.enqueue([a_run()], now=NOON)
    line = store._waking._source._connection
    child = os.fork()
    if child == 0:
        # Straight out of the child, whatever happens: it must not run the rest of the tests.
        code = 1
        try:
            store.enqueue([a_run(id="c" * 32)], now=NOON)
            store.wait(timedelta(0))
            code = 2 if store._waking._source._connection is line else 0
        finally:
            os._exit(code)

    _, status = os.waitpid(child, 0)
    [after] = store.enqueue([a_run()], now=NOON)

    assert os.waitstatus_to_exitcode(status) == 0
    assert ids(claim(store)) == sorted([before, after, "c" * 32])
    # The parent's line is still its own.
    assert store.wait(timedelta(seconds=30))
    assert not store.wait(timedelta(milliseconds=20))
    assert store._waking._source._connection is line


# --- names, decided in Python and written in a script ---


def test_a_name_that_is_taken_back_between_look_and_write_is_looked_at_again(store, monkeypatch):  # R32
    first = a_run()
    store.enqueue_unique([UniqueRun(run=first, name="n", scope=Scope.WAITING)], now=NOON)
    # Its first attempt has begun: the name is free.
    [taken] = claim(store)
    call = store._server.call

    def meddled(name: str, *args: Any) -> Any:
        answer = call(name, *args)
        if name == "unique_look":
            monkeypatch.undo()
            store.release("w1", [(taken.id, taken.token)], now=NOON)
        return answer

    monkeypatch.setattr(store._server, "call", meddled)
    second = UniqueRun(run=a_run(), name="n", scope=Scope.WAITING)

    assert store.enqueue_unique([second], now=NOON) == [first.id]


# --- pruning in small steps: R72 ---


def pruned(store, *, limit: int) -> None:
    """Forget what is older than an hour after noon, a few at a time."""
    before = NOON + HOUR
    store.prune(succeeded_before=before, failed_before=before, slots_before=before, logs_before=before, limit=limit)


def test_names_are_forgotten_a_few_at_a_time_and_past_those_that_are_kept(store):
    # More than are looked at together, and they come first.
    kept = [a_run(due_at=NOON + DAY) for _ in range(501)]
    store.enqueue_unique([UniqueRun(run=run, name=run.id) for run in kept], now=NOON)
    store.enqueue_unique([UniqueRun(run=run, name=run.id) for run in [a_run() for _ in range(4)]], now=NOON + SECOND)
    settle_all(store, *map(succeeded, claim(store)))
    left = []

    for _ in range(3):
        pruned(store, limit=3)
        left.append(store._server.ask("HLEN", store._server.key("uniques")))

    assert left == [502, 501, 501]


def test_rounds_are_forgotten_a_few_at_a_time_and_past_those_that_have_runs(store):
    rounds = [a_round(slot=NOON + n * SECOND, state=RoundState.SUCCEEDED, ended_at=NOON + n * SECOND) for n in range(5)]
    add_rounds(store, *rounds)
    store.enqueue([a_run(round_id=rounds[0].id, due_at=NOON + DAY)], now=NOON)
    store.end_round(rounds[0])
    left = []

    for _ in range(3):
        pruned(store, limit=2)
        left.append(len(store.rounds(RoundQuery())))

    assert left == [3, 1, 1]
