"""Fixtures for all tests: private database servers, started when a test first asks and shared by all workers."""

import gc
import logging
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from rota import redaction
from tests import haste, servers
from tests.ready import Ready

haste.keep_what_is_compiled()
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts `make test &` has it ignored, by all processes that tests start and interrupt too.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _nothing_is_secret_yet() -> None:
    """Keep the secrets of one test out of the next: `secret` as somebody's password would blank its messages."""
    redaction.SECRETS.clear()


LOGGERS = ("rota", "rota.run", "rota.job", "rota.job.stdout", "rota.job.stderr", "alembic")


@pytest.fixture(autouse=True)
def _logging_stays_as_it_was() -> Iterator[None]:
    """Take back what a test does to the loggers that others look at: a handler that stays prints what they log."""
    loggers = [logging.getLogger(), *(logging.getLogger(name) for name in LOGGERS)]
    before = [(list(logger.handlers), logger.level, logger.propagate, logger.disabled) for logger in loggers]
    yield
    for logger, (handlers, level, propagate, disabled) in zip(loggers, before, strict=True):
        if (logger.handlers, logger.level) != (handlers, level):
            logger.handlers[:] = handlers
            # Not the attribute: what is asked of a logger is remembered.
            logger.setLevel(level)
        logger.propagate, logger.disabled = propagate, disabled


@pytest.fixture(autouse=True)
def _no_flask_application_is_named(monkeypatch) -> None:
    """Keep the name that the application of one test gave to its processes out of the next one."""
    monkeypatch.setenv("FLASK_APP", "")


DIRECTORY = pytest.StashKey[Path]()
OPEN = pytest.StashKey[ExitStack]()
SKIP_REASON = "no server for this test"


def pytest_configure(config: pytest.Config) -> None:
    """Open the session of servers in the main process; workers of pytest-xdist are told where it is."""
    told = getattr(config, "workerinput", None)
    if told is not None:
        config.stash[DIRECTORY] = Path(told["servers"])
        # What is collected stays: to look for garbage among it takes a fifth of the time.
        gc.disable()
        return
    haste.keep_files_in_memory()
    haste.compile_for_children()
    haste.rewrite_for_workers(config)
    config.stash[OPEN] = ExitStack()
    config.stash[DIRECTORY] = config.stash[OPEN].enter_context(servers.session())
    haste.trust_one_authority(config.stash[DIRECTORY])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put into the order of the queue what workers of pytest-xdist are to share."""
    if hasattr(config, "workerinput"):
        # Loaded where pytest-xdist is.
        from tests import sharing

        items.sort(key=sharing.rank)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Share the tests out in our own way."""
    from tests import sharing

    return sharing.Sharing(config, log) if config.getoption("dist") == "loadgroup" else None


def pytest_collection_finish() -> None:
    """Keep what was collected out of garbage collection: fifteen thousand tests stay to the end anyway.

    A test that collects would look through all of them, and a forked child would copy them while it does.
    """
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the servers."""
    if OPEN in config.stash:
        config.stash[OPEN].close()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist where the servers are."""
    node.workerinput["servers"] = str(node.config.stash[DIRECTORY])


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say aloud which tests did not run for want of a server: a skipped test proves nothing."""
    reports = terminalreporter.stats.get("skipped", ())
    reasons = (str(report.longrepr[2]).removeprefix("Skipped: ") for report in reports)
    skipped = [reason for reason in reasons if reason.startswith(SKIP_REASON)]
    for reason in sorted(set(skipped)):
        terminalreporter.write_line(f"{skipped.count(reason)} TESTS NOT RUN: {reason}", yellow=True, bold=True)


@pytest.fixture(scope="session")
def postgres_server(pytestconfig: pytest.Config) -> servers.Server:
    """A private PostgreSQL server."""
    return _server(pytestconfig, "postgres")


@pytest.fixture(scope="session")
def mariadb_server(pytestconfig: pytest.Config) -> servers.Server:
    """A private MariaDB server."""
    return _server(pytestconfig, "mariadb")


@pytest.fixture(scope="session")
def redis_server(pytestconfig: pytest.Config) -> servers.Server:
    """A private Redis server."""
    return _server(pytestconfig, "redis")


@pytest.fixture(scope="session")
def rabbitmq_server(pytestconfig: pytest.Config) -> servers.Server:
    """A private RabbitMQ server."""
    return _server(pytestconfig, "rabbitmq")


@pytest.fixture
def postgres_database(postgres_server: servers.Server) -> str:
    """The URL of a fresh PostgreSQL database. It goes with the server: to drop it would wait for a checkpoint."""
    return postgres_server.create_database()


@pytest.fixture
def mariadb_database(mariadb_server: servers.Server) -> str:
    """The URL of a fresh MariaDB database. It goes with the server."""
    return mariadb_server.create_database()


@pytest.fixture
def redis_database(redis_server: servers.Server) -> str:
    """The URL of a Redis database that nobody has used. It goes with the server."""
    return redis_server.create_database()


@pytest.fixture(scope="session")
def ready(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Ready:
    """Makes databases that have the schema already, which tests that are not about migrations ask for."""
    return Ready(lambda kind: _server(pytestconfig, kind), tmp_path_factory.mktemp("ready"))


@pytest.fixture
def postgres_ready(ready: Ready, tmp_path: Path) -> str:
    """The URL of a fresh PostgreSQL database with the schema."""
    return ready.url("postgres", tmp_path)


@pytest.fixture
def mariadb_ready(ready: Ready, tmp_path: Path) -> str:
    """The URL of a fresh MariaDB database with the schema."""
    return ready.url("mariadb", tmp_path)


def _server(config: pytest.Config, kind: str) -> servers.Server:
    try:
        return servers.running(config.stash[DIRECTORY], kind)
    except servers.ServerMissing as error:
        if os.environ.get("CI") in ("true", "1"):
            pytest.fail(f"{SKIP_REASON}: {error}", pytrace=False)
        pytest.skip(f"{SKIP_REASON}: {error}")
