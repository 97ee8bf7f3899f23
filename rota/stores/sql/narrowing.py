"""The WHERE of a query in which every field is optional."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rota.stores.sql.rows import since_epoch


class Narrowing:
    """Terms and their parameters, added one by one."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._terms: list[str] = []
        self.parameters: list[Any] = []

    @property
    def where(self) -> str:
        """The WHERE of all terms so far."""
        return " WHERE " + " AND ".join(self._terms) if self._terms else ""

    def among(self, column: str, values: Sequence[str]) -> None:
        """Only rows whose column is one of these; no values do not narrow."""
        if values:
            self._add(f"{self._table}.{column} IN ({', '.join('?' * len(values))})", *map(str, values))

    def equal(self, column: str, value: str | None) -> None:
        """Only rows with this value; `None` does not narrow."""
        if value is not None:
            self._add(f"{self._table}.{column} = ?", str(value))

    def span(self, column: str, first: str, end: str) -> None:
        """Only rows whose column is in [first, end), as bytes compare."""
        self._add(f"{self._table}.{column} >= ?", first)
        self._add(f"{self._table}.{column} < ?", end)

    def within(self, column: str, since: datetime | None, until: datetime | None) -> None:
        """Only rows whose instant lies in [since, until)."""
        if since is not None:
            self._add(f"{self._table}.{column} >= ?", since_epoch(since))
        if until is not None:
            self._add(f"{self._table}.{column} < ?", since_epoch(until))

    def below(self, column: str, value: str | None) -> None:
        """Only rows before this key."""
        if value is not None:
            self._add(f"{self._table}.{column} < ?", value)

    def from_(self, column: str, value: str) -> None:
        """Only rows of this key and those behind it."""
        self._add(f"{self._table}.{column} >= ?", value)

    def also(self, term: str, *parameters: Any) -> None:
        """Only rows for which this term of the statement's own holds."""
        self._add(term, *parameters)

    def _add(self, term: str, *parameters: Any) -> None:
        self._terms.append(term)
        self.parameters += parameters
