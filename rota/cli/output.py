"""Results on standard output in the form asked for; everything else on standard error (R63)."""

import csv
import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

import msgspec

from rota.core.safe import safe_text
from rota.redaction import redacted, redacted_within

if TYPE_CHECKING:
    from rota.operations.operation import Page


class Form(StrEnum):
    """How results are written. `plain` is one line per row, cells apart by tabs, for scripts."""

    TABLE = "table"
    PLAIN = "plain"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"


class Column(NamedTuple):
    """One column of a table: its title, and the cell of a row."""

    title: str
    cell: Callable[[Any], object]
    right: bool = False
    style: Callable[[Any], str] | None = None
    """The colour of a row's cell, on a terminal only."""


STATE_STYLES = {
    "succeeded": "green",
    "ok": "green",
    "failed": "bold red",
    "partial": "yellow",
    "running": "cyan",
    "skipped": "dim",
    "cancelled": "dim",
    "missing": "magenta",
    "fresh": "green",
    "late": "yellow",
    "stale": "bold red",
    "paused": "dim",
}


def by_state(row: Any) -> str:
    """Return the colour of a row that has a state."""
    return STATE_STYLES.get(str(row.state), "")


class Output:
    """Where one command writes. Exactly one JSON document comes out in JSON form."""

    def __init__(self, *, form: Form | None, verbosity: int, color: str) -> None:
        self.form: Form = form or Form.TABLE
        self.verbosity = verbosity
        self._color = color
        self._warnings: list[str] = []

    @property
    def is_for_people(self) -> bool:
        return self.form in (Form.TABLE, Form.PLAIN)

    def rows(
        self,
        schema: str,
        rows: Sequence[Any],
        columns: Sequence[Column],
        *,
        next_page: str | None = None,
        foot: str = "",
    ) -> None:
        """Write a list: all of it at once, one document in JSON form."""
        match self.form:
            case Form.JSON:
                self._document(schema, [msgspec.to_builtins(row) for row in rows], page={"next": next_page})
            case Form.NDJSON:
                for row in rows:
                    self.event(msgspec.to_builtins(row))
            case Form.CSV:
                self._csv(columns, rows)
            case Form.PLAIN:
                for row in rows:
                    self._write("\t".join(_cell(column, row) for column in columns))
            case Form.TABLE:
                self._table(columns, rows)
                if foot:
                    self.say(foot)

    def page(self, schema: str, page: "Page[Any]", columns: Sequence[Column], *, foot: str = "") -> None:
        """Write a page of a list, with the warnings that came with it."""
        self.warn_all(page.warnings)
        self.rows(schema, page.data, columns, next_page=page.page.next, foot=foot)

    def one(self, schema: str, value: Any, lines: Iterable[str]) -> None:
        """Write one thing: `lines` for people (already made safe), `value` for programs."""
        match self.form:
            case Form.JSON:
                self._document(schema, msgspec.to_builtins(value), page=None)
            case Form.NDJSON:
                self.event(msgspec.to_builtins(value))
            case Form.CSV:
                cells = msgspec.to_builtins(value)
                flat = cells if isinstance(cells, dict) else {"value": cells}
                self._csv([Column(name, _field(name)) for name in flat], [flat])
            case _:
                for line in lines:
                    self._write(line)

    def pass_(self, schema: str, value: Any, lines: Iterable[str], *, is_well: bool) -> None:
        """Write what came of a pass as `one` does; with `-q` nothing for people where all is well: cron mails whatever
        is printed."""
        if not (is_well and self.verbosity < 0 and self.is_for_people):
            self.one(schema, value, lines)

    def secret(self, schema: str, value: Any, text: str) -> None:
        """Write what was asked for and is secret, as it is: alone for people and scripts, `value` as a document."""
        if self.form in (Form.JSON, Form.NDJSON):
            document = {"schema": schema, "data": msgspec.to_builtins(value), "warnings": []}
            self._write(json.dumps(document, indent=2 if self.form is Form.JSON else None))
        else:
            self._write(text)

    def text(self, text: str) -> None:
        """Write text whose form is fixed, such as a completion script or SQL."""
        self._write(text)

    def event(self, event: object) -> None:
        """Write one line of JSON."""
        self._write(json.dumps(redacted_within(event), separators=(",", ":")))

    def say(self, text: str) -> None:
        """Tell a person something on standard error, unless `-q`. In JSON forms only errors stand there."""
        if self.verbosity >= 0 and self.form not in (Form.JSON, Form.NDJSON):
            print(text, file=sys.stderr, flush=True)

    def warn(self, text: str) -> None:
        """Warn: inside the document in JSON form, on standard error otherwise. Before the result is written."""
        if self.form is Form.JSON:
            self._warnings.append(text)
        else:
            print(f"warning: {safe_text(redacted(text))}", file=sys.stderr, flush=True)

    def warn_all(self, texts: Iterable[str]) -> None:
        """Warn of each of these."""
        for text in texts:
            self.warn(text)

    def is_colored(self, stream: TextIO) -> bool:
        """Return whether colours go to `stream`: the flag, then NO_COLOR, then FORCE_COLOR, then the terminal."""
        if self._color != "auto":
            return self._color == "always"
        if os.environ.get("NO_COLOR"):
            return False
        return bool(os.environ.get("FORCE_COLOR")) or (stream.isatty() and os.environ.get("TERM") != "dumb")

    def _document(self, schema: str, value: object, *, page: dict[str, str | None] | None) -> None:
        document: dict[str, object] = {"schema": schema, "data": value}
        if page is not None:
            document["page"] = page
        # ASCII only: no character of a tenant's reaches the terminal as it is.
        self._write(json.dumps(redacted_within(document | {"warnings": self._warnings}), indent=2))

    def _csv(self, columns: Sequence[Column], rows: Iterable[Any]) -> None:
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow([column.title.lower().replace(" ", "_") for column in columns])
        writer.writerows([_unformula(_cell(column, row)) for column in columns] for row in rows)
        self._write(buffer.getvalue().rstrip("\n"))

    def _table(self, columns: Sequence[Column], rows: Sequence[Any]) -> None:
        cells = [[_cell(column, row) for column in columns] for row in rows]
        if self.is_colored(sys.stdout):
            self._rich_table(columns, rows, cells)
            return
        widths = [
            max(len(line[index]) for line in [[c.title for c in columns], *cells]) for index in range(len(columns))
        ]
        for line in [[column.title for column in columns], *cells]:
            parts = [
                text.rjust(width) if column.right else text.ljust(width)
                for text, width, column in zip(line, widths, columns, strict=True)
            ]
            self._write("  ".join(parts).rstrip())

    def _rich_table(self, columns: Sequence[Column], rows: Sequence[Any], cells: Sequence[Sequence[str]]) -> None:
        # Rich costs 50 ms: only when there is a table to draw, on a terminal.
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for column in columns:
            # Only the last column, where texts stand, may take more than one line.
            is_last = column is columns[-1]
            table.add_column(
                column.title,
                justify="right" if column.right else "left",
                overflow="fold" if is_last else "ellipsis",
                no_wrap=not is_last,
            )
        for row, line in zip(rows, cells, strict=True):
            styles = [column.style(row) if column.style else "" for column in columns]
            # Text, not markup: a tenant called "[red]" is a name.
            table.add_row(*(Text(text, style=style) for text, style in zip(line, styles, strict=True)))
        Console(file=sys.stdout, force_terminal=True, highlight=False).print(table)

    def _write(self, text: str) -> None:
        print(text, file=sys.stdout, flush=True)


def _cell(column: Column, row: Any) -> str:
    value = column.cell(row)
    return "" if value is None else safe_text(redacted(str(value)))


def _field(name: str) -> Callable[[Any], object]:
    def cell(row: Any) -> object:
        value = row[name]
        return json.dumps(value) if isinstance(value, dict | list) else value

    return cell


def _unformula(text: str) -> str:
    # A spreadsheet runs a cell that starts so; a job's error message must not be able to.
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") and not text[1:2].isdigit() else text
