"""The pages of one board, in one folder."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from rota.core.board import Board, Section, public
from rota.core.page_name import page_name
from rota.pages.folder import Folder
from rota.pages.render import badge, job_page, overview

ENDING = "_fresh"
MOST_TENANTS = 500
"""Tenants that a page names; the worst come first, and the others are counted."""

_json = msgspec.json.Encoder(order="deterministic")


class StatusPages:
    """Writes `index.html`, `<job>_fresh.html`, `<job>_fresh.svg` and their JSON twins, each whole or not at all.

    In `public/` the same for what has one of the public tags, without tenants, errors or what is not for everybody
    (T49). Pages of jobs that are gone go too.
    """

    def __init__(self, path: Path, *, title: str, public_tags: Sequence[str] = ()) -> None:
        self._path = path
        self._title = title
        self._public_tags = tuple(public_tags)

    def write(self, board: Board) -> None:
        """Write all pages of this board.

        Raises:
            PageNotWritten: those that were written before are new, the others as they were.
        """
        self._write(self._path, board, is_public=False)
        if self._public_tags:
            self._write(self._path / "public", public(board, tags=self._public_tags), is_public=True)

    def _write(self, path: Path, board: Board, *, is_public: bool) -> None:
        with Folder(path) as folder:
            written = set()
            # The overview last: what it links to is there.
            for name, content in self._files(board, is_public=is_public):
                folder.write(name, content)
                written.add(name)
            for name in folder.names():
                if name not in written and Path(name).stem.endswith(ENDING):
                    folder.remove(name)

    def _files(self, board: Board, *, is_public: bool) -> Iterator[tuple[str, bytes]]:
        for section in board.sections:
            stem = f"{page_name(section.subject.name)}{ENDING}"
            page = job_page(board, section, title=self._title, is_public=is_public, most=MOST_TENANTS)
            yield f"{stem}.html", page.encode()
            yield f"{stem}.svg", badge(section.subject.name, section.state).encode()
            yield f"{stem}.json", _json.encode(_told(board, section, is_public=is_public))
        files = {section.subject.name: f"{page_name(section.subject.name)}{ENDING}" for section in board.sections}
        yield "status.svg", badge(self._title, board.state).encode()
        yield "index.json", _json.encode(_summed(board, files))
        yield "index.html", overview(board, files, title=self._title, is_public=is_public).encode()


def _told(board: Board, section: Section, *, is_public: bool) -> dict[str, object]:
    told: dict[str, object] = {
        "at": _second(board.at),
        "next_at": _second(board.next_at),
        "warning": board.warning,
        "name": section.subject.name,
        "state": section.state,
        "in_time": section.in_time,
        "counts": section.counts(),
        "days": section.days,
    }
    if not is_public:
        told |= {"subject": section.subject, "pairs": section.proofs}
    return told


def _summed(board: Board, files: dict[str, str]) -> dict[str, object]:
    return {
        "at": _second(board.at),
        "next_at": _second(board.next_at),
        "warning": board.warning,
        "state": board.state,
        "jobs": [
            {
                "name": section.subject.name,
                "state": section.state,
                "in_time": section.in_time,
                "counts": section.counts(),
                "page": f"{files[section.subject.name]}.html",
            }
            for section in board.sections
        ],
    }


def _second(instant: datetime) -> datetime:
    """Return an instant as others can read it: `fromdate` of jq knows no parts of seconds."""
    return instant.replace(microsecond=0)
