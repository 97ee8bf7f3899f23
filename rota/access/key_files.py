"""Keys in files, as they are there now: one that changes is read again, one that is gone is believed no longer."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rota.access.jwks import Ready, keys_of
from rota.access.keys import Key, prepared
from rota.errors import ConfigurationError
from rota.redaction import keep_secret

log: logging.Logger = logging.getLogger(__name__)

Stamp = tuple[int, int, int]


class KeyFile:
    """One key that stands in a file of its own."""

    def __init__(self, key: Key, file: Path) -> None:
        """`key`: everything about it but its material.

        Raises:
            ConfigurationError: the file cannot be read, or has no such key.
        """
        self._key = key
        self._file = file
        self._stamp = _stamp(file)
        self._ready: tuple[Key, Any] | None = self._read()

    @property
    def id(self) -> str:
        return self._key.id

    def now(self) -> tuple[Key, Any] | None:
        """Return the key as its file has it now; None while there is none, or one that is not to be used.

        A look at the file costs two microseconds, so it is taken each time: whoever takes a key away means at once.
        """
        stamp = _stamp(self._file)
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._ready = self._read()
                log.info("the key %r for tokens has changed", self._key.id)
            except ConfigurationError as error:
                self._ready = None
                log.error("the key %r for tokens is believed no longer: %s", self._key.id, error)
        return self._ready

    def _read(self) -> tuple[Key, Any]:
        try:
            material = self._file.read_bytes().strip()
        except OSError as error:
            raise ConfigurationError(
                f"the key {self._key.id!r} for tokens: {self._file} cannot be read: {error.strerror}"
            ) from error
        if self._key.algorithm.is_shared:
            keep_secret(material.decode("utf-8", "replace"))
        key = Key(algorithm=self._key.algorithm, material=material, id=self._key.id, until=self._key.until)
        return key, prepared(key)


class KeyFiles:
    """Keys by their ids, each in its file."""

    def __init__(self, files: Sequence[KeyFile]) -> None:
        self._files = {one.id: one for one in files}

    def find(self, key_id: str) -> tuple[Key, Any] | None:
        file = self._files.get(key_id)
        return None if file is None else file.now()


class KeySetFile:
    """A key set (RFC 7517) that somebody puts into a file."""

    def __init__(self, file: Path) -> None:
        """Read it.

        Raises:
            ConfigurationError: the file cannot be read, or is no key set.
        """
        self._file = file
        self._stamp = _stamp(file)
        self._ready = self._read()

    def find(self, key_id: str) -> tuple[Key, Any] | None:
        stamp = _stamp(self._file)
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._ready = self._read()
            except ConfigurationError as error:
                self._ready = {}
                log.error("the keys of auth.jwks are believed no longer: %s", error)
        return self._ready.get(key_id)

    def _read(self) -> Ready:
        try:
            return keys_of(self._file.read_bytes())
        except OSError as error:
            raise ConfigurationError(f"auth.jwks: {self._file} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise ConfigurationError(f"auth.jwks: {self._file} is no key set: {error}") from error


def _stamp(file: Path) -> Stamp | None:
    """Return what changes with a file, also when another one is put in its place; None if there is none."""
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
