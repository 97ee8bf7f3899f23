"""The contract of a store, on a Redis that is the node of a cluster.

A script there may touch the keys of one slot only: all of ours have the hash tag that puts them into one.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from types import ModuleType
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from rota.ports import Store
from rota.stores import open_store
from tests import redis_apart
from tests.contract import (
    test_claim,
    test_enqueue,
    test_expiry,
    test_gates,
    test_lease,
    test_limits,
    test_parts,
    test_prune,
    test_rounds,
    test_schedules,
    test_settle,
    test_unique,
)

CORE = (
    test_claim, test_enqueue, test_expiry, test_gates, test_lease, test_limits, test_parts, test_prune, test_rounds,
    test_schedules, test_settle, test_unique,
)  # fmt: skip


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with redis_apart.cluster() as port, closing(Redis(host="127.0.0.1", port=port)) as found:
        yield found


@pytest.fixture(scope="module")
def url(client: Any) -> str:
    options = client.connection_pool.connection_kwargs
    return f"redis://{options['host']}:{options['port']}/0"


@pytest.fixture(scope="module")
def shared(url: str) -> Iterator[Store]:
    with closing(open_store(url)) as store:
        yield store


@pytest.fixture
def begin_anew(client: Any, shared: Store) -> Callable[[], Store]:
    """Return the store, empty, with each call."""

    def begin() -> Store:
        client.flushall()
        shared.setup()
        return shared

    return begin


@pytest.fixture
def store(begin_anew: Callable[[], Store]) -> Store:
    return begin_anew()


@pytest.fixture
def open_again(url: str, store: Store) -> Iterator[Callable[[], Store]]:
    opened: list[Store] = []

    def opener() -> Store:
        opened.append(open_store(url))
        return opened[-1]

    yield opener
    for again in opened:
        again.close()


@pytest.fixture
def kind() -> str:
    return "redis"


names_of = test_unique.names_of


def test_a_node_of_a_cluster_refuses_keys_of_two_slots(client: Any) -> None:
    with pytest.raises(ResponseError, match="same slot"):
        client.execute_command("MSET", "a", 1, "b", 2)


def test_it_is_taken_as_it_is(store: Store) -> None:  # R70
    store.check()


def of(module: ModuleType) -> dict[str, Any]:
    """Return the tests of a module, under names that no other module has."""
    short = module.__name__.rpartition(".")[2].removeprefix("test_")
    return {f"{name}_in_{short}": test for name, test in vars(module).items() if name.startswith("test_")}


for module in CORE:
    globals().update(of(module))
