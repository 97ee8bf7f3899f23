"""A Redis on the other side of TLS, whose certificate is by a private authority. (T66)"""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from threading import Thread

import pytest

from rota.core.model import State
from rota.errors import StoreUnavailable
from rota.ports import Store
from rota.stores import open_store
from tests import redis_apart
from tests.certificates import Authority
from tests.values import NOON, a_run, claim, settle_all, states, succeeded


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def port(authority: Authority) -> Iterator[int]:
    """A server whose certificate is for localhost, and not for its address."""
    with redis_apart.with_tls(authority.certificate("localhost"), authority.file) as found:
        yield found


@pytest.fixture
def store(port: int, authority: Authority) -> Iterator[Store]:
    with closing(open_store(f"rediss://localhost:{port}/3?ca={authority.file}")) as opened:
        opened.setup()
        yield opened


def test_runs_go_their_way_through_it(store: Store) -> None:
    store.check()
    run = a_run(tenant="acme")
    store.enqueue([run], now=NOON)

    [claimed] = claim(store)

    assert settle_all(store, succeeded(claimed)) == [run.id]
    assert states(store, run.id) == [State.SUCCEEDED]


def test_who_waits_is_woken_through_it(store: Store) -> None:
    store.wait(timedelta(0))
    other = Thread(target=lambda: store.enqueue([a_run()], now=NOON))
    other.start()

    assert store.wait(timedelta(seconds=20))
    # It is woken before the other has its answer.
    other.join()


def test_a_certificate_that_nobody_vouches_for_is_refused(port: int) -> None:
    refused(f"rediss://localhost:{port}/3", "certificate verify failed")


def test_the_certificate_of_another_authority_is_refused(port: int, tmp_path: Path) -> None:
    refused(f"rediss://localhost:{port}/3?ca={Authority(tmp_path).file}", "certificate verify failed")


def test_a_certificate_for_another_host_is_refused(port: int, authority: Authority) -> None:
    refused(f"rediss://127.0.0.1:{port}/3?ca={authority.file}", "certificate verify failed")


def test_who_speaks_plainly_is_not_heard(port: int) -> None:
    refused(f"redis://localhost:{port}/3", "closed|reset|not there")


def refused(url: str, why: str) -> None:
    with closing(open_store(url)) as store, pytest.raises(StoreUnavailable, match=why):
        store.setup()
