"""What the commands of the tests were called with."""

from typing import Any

MADE: list[dict[str, Any]] = []
FAILING: set[str] = set()
"""Slots, as ISO texts, at which `note` fails."""
