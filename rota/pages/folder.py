"""A folder whose files are replaced whole: who reads one never sees half of it (H7, T48)."""

import os
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from types import TracebackType

from rota.errors import PageNotWritten

MODE = 0o640
FOLDER = 0o750


class Folder:
    """Writes files into one folder, which is opened once and then used by its descriptor.

    A name is a plain name: whoever makes one of what people gave takes `page_name`. What stands at a name already is
    replaced, also a link, and never written through.
    """

    def __init__(self, path: Path) -> None:
        """Open the folder, and make it where it is not there.

        Raises:
            PageNotWritten: it cannot be made or opened, or is a link.
        """
        self._path = path
        try:
            path.mkdir(mode=FOLDER, parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError as error:
            raise PageNotWritten(str(path), error) from None

    def write(self, name: str, content: bytes) -> None:
        """Replace the file of this name, or make it: on disk before this returns, or as it was.

        Raises:
            PageNotWritten: the disk is full, say. What was there before is there still.
        """
        if "/" in name or name in ("", ".", "..") or "\0" in name:
            raise ValueError(f"{name!r} is no plain name of a file")
        draft = f".{name[:200]}.{token_hex(8)}"
        try:
            self._write_draft(draft, content)
            os.rename(draft, name, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)
            os.fsync(self._descriptor)
        except OSError as error:
            with suppress(OSError):
                os.unlink(draft, dir_fd=self._descriptor)
            raise PageNotWritten(str(self._path / name), error) from None

    def names(self) -> list[str]:
        """Return the names of all files in the folder, sorted."""
        return sorted(os.listdir(self._descriptor))

    def remove(self, name: str) -> None:
        """Delete a file of this folder, if it is there."""
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._descriptor)

    def _write_draft(self, draft: str, content: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        descriptor = os.open(draft, flags, MODE, dir_fd=self._descriptor)
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def __enter__(self) -> "Folder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._descriptor)
