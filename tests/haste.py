"""What makes the tests quick without making them see less: what is compiled is kept, and files stand in memory."""

import compileall
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.assertion import rewrite

try:
    from tests.certificates import Authority
except ImportError:
    # The environments of scripts/matrix have few packages, and meet no server.
    Authority = None  # type: ignore[assignment,misc]

REPOSITORY = Path(__file__).parent.parent
MEMORY = Path("/dev/shm")
ROOM = 4 << 30
"""Bytes that must be free there: a whole run takes some two GiB, most of it databases. Containers often have 64 MiB."""


def keep_what_is_compiled() -> None:
    """Let this process keep compiled modules, tests too, and the processes that it starts only read them.

    Where PYTHONDONTWRITEBYTECODE is set, as in many containers, each worker and each `rota` that a test starts would
    compile all of Rota anew, a third of a second each time. Those processes do not write: a module that a test writes
    twice within a second, at the same length, would be met as it was the first time; and where a test counts what a
    process writes, this would be counted.
    """
    sys.dont_write_bytecode = False
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"


def trust_one_authority(folder: Path) -> None:
    """Have OpenSSL trust an authority of ours, which has signed nothing, in place of all that the machine trusts.

    To read those takes twenty milliseconds of processor: for each connection that tests make with PyMySQL, and for each
    process on MariaDB. No test meets a server that one of them vouches for.
    """
    if Authority is not None:
        os.environ["SSL_CERT_FILE"] = str(Authority(folder, name="authority of nothing").file)


def compile_for_children() -> None:
    """Compile what processes load that tests start. What has been compiled already costs a look."""
    for folder in ("rota", "examples"):
        compileall.compile_dir(REPOSITORY / folder, quiet=2)


def rewrite_for_workers(config: pytest.Config) -> None:
    """Compile the tests of this session as pytest does, with their assertions rewritten, before workers come up.

    In a fresh clone each worker of pytest-xdist would do so by itself, all at the same time: eight seconds of each.
    pytest has no public name for this; what is not done here is done by the workers.
    """
    if not config.getoption("numprocesses", None):
        return
    for path in _tests_of(config):
        compiled = rewrite.get_cache_dir(path) / f"{path.stem}{rewrite.PYC_TAIL}"
        if rewrite._read_pyc(path, compiled) is None and rewrite.try_makedirs(compiled.parent):
            digest, code = rewrite._rewrite_test(path, config)
            rewrite._write_pyc(config.stash[rewrite.assertstate_key], code, digest, compiled)


def _tests_of(config: pytest.Config) -> Iterator[Path]:
    for argument in config.args:
        path = Path(config.invocation_params.dir, argument.partition("::")[0])
        yield from path.rglob("test_*.py") if path.is_dir() else [path]


def keep_files_in_memory() -> None:
    """Put temporary files, and with them the servers' databases, into memory where there is plenty of it.

    Most of what these tests wait for is a disk that confirms commits. It proves nothing here: what a killed process has
    written is with the kernel, whatever the disk does, and that a commit asks for the disk is tested as a setting.
    A TMPDIR of one's own stays.
    """
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK) or shutil.disk_usage(MEMORY).free < ROOM:
        return
    os.environ["TMPDIR"] = str(MEMORY)
    # It remembers what it found first.
    tempfile.tempdir = None
