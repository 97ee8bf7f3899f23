"""What several examples are tried with."""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from examples.casework.demo.mail_server import MailServer, is_installed, mail_server
from tests.conftest import SKIP_REASON


@pytest.fixture(scope="session")
def dovecot() -> Iterator[MailServer]:
    """A private Dovecot with mailboxes that nobody has used: take another one in each test."""
    if not is_installed():
        missing = f"{SKIP_REASON}: no dovecot: install the package dovecot-imapd, or run scripts/services"
        if os.environ.get("CI") in ("true", "1"):
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)
    # Not in the folder of pytest, which is for one user alone: the server has several.
    with (
        TemporaryDirectory(prefix="rota-dovecot-") as home,
        mail_server(Path(home), {f"box{number}": "secret" for number in range(100)}) as server,
    ):
        yield server
