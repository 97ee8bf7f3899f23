"""Keys in files: put in another's place while it runs (T18)."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from rota.access.key_files import KeyFile, KeyFiles
from rota.access.keys import Algorithm, Key
from rota.access.tokens import Tokens, sign
from rota.core.claims import Expected, Untrusted
from rota.errors import ConfigurationError
from tests.access.test_tokens import NOW, claims

FIRST = "the-first-secret-of-more-than-thirty-two-bytes"
SECOND = "a-second-secret-of-more-than-thirty-two-bytes"


def a_file(path: Path, content=FIRST, *, key_id="a", until=None) -> KeyFile:
    path.write_text(content + "\n")
    return KeyFile(Key(algorithm=Algorithm.HS256, material=b"", id=key_id, until=until), path)


def tokens(*files):
    return Tokens(KeyFiles(files), expected=Expected(audience="rota"))


def signed(secret=FIRST, *, key_id="a"):
    return sign(claims(), Key(algorithm=Algorithm.HS256, material=secret.encode(), id=key_id))


def is_believed(verifier, token, *, now=NOW):
    try:
        verifier.verify(token, now=now)
    except Untrusted:
        return False
    return True


def test_a_key_that_changes_is_read_again(tmp_path):  # T18
    verifier = tokens(a_file(tmp_path / "key"))
    assert is_believed(verifier, signed())

    (tmp_path / "new").write_text(SECOND)
    os.replace(tmp_path / "new", tmp_path / "key")

    assert is_believed(verifier, signed(SECOND))
    assert not is_believed(verifier, signed())


def test_a_key_that_is_taken_away_is_believed_no_longer(tmp_path):  # T18
    verifier = tokens(a_file(tmp_path / "key"), a_file(tmp_path / "other", key_id="b"))

    (tmp_path / "key").unlink()

    assert not is_believed(verifier, signed())
    assert is_believed(verifier, signed(key_id="b"))


@pytest.mark.parametrize("content", ["", "short", "changeme" * 8, "-----BEGIN PUBLIC KEY-----" + "x" * 40])
def test_a_key_that_becomes_unsafe_is_not_used(tmp_path, content):  # J18
    verifier = tokens(a_file(tmp_path / "key"))

    (tmp_path / "key").write_text(content)
    assert not is_believed(verifier, signed())
    assert not is_believed(verifier, signed(SECOND))

    (tmp_path / "key").write_text(FIRST)
    assert is_believed(verifier, signed())


def test_a_key_has_its_time(tmp_path):  # T18
    verifier = tokens(a_file(tmp_path / "key", until=NOW + timedelta(minutes=1)))

    assert is_believed(verifier, signed(), now=NOW + timedelta(seconds=59))
    assert not is_believed(verifier, signed(), now=NOW + timedelta(minutes=1))


def test_a_file_that_is_not_there_is_said_at_the_start(tmp_path):  # R64
    with pytest.raises(ConfigurationError, match=r"'a'.*cannot be read"):
        KeyFile(Key(algorithm=Algorithm.HS256, material=b"", id="a"), tmp_path / "none")
    with pytest.raises(ConfigurationError, match="bytes"):
        a_file(tmp_path / "weak", "short")


def test_a_token_that_was_believed_is_not_when_its_key_has_gone(tmp_path):  # T18
    verifier = tokens(a_file(tmp_path / "key"))
    token = signed()
    assert is_believed(verifier, token)
    assert is_believed(verifier, token)

    (tmp_path / "key").unlink()

    assert not is_believed(verifier, token)


def test_a_token_that_was_believed_is_not_when_the_time_of_its_key_is_over(tmp_path):  # T18
    verifier = tokens(a_file(tmp_path / "key", until=NOW + timedelta(minutes=5)))
    token = signed()
    assert is_believed(verifier, token)

    assert not is_believed(verifier, token, now=NOW + timedelta(minutes=5))
