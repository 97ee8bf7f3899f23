"""Takes what jobs count, and remembers it."""

from typing import Any


class Heard:
    """Numbers and records as they came."""

    def __init__(self) -> None:
        self.counted: list[tuple[str, str | None, str, float]] = []
        self.times: list[tuple[int, float, float]] = []
        self.recorded: list[tuple[str, str | None, bool, int]] = []

    def count(self, job: str, tenant: str | None, name: str, number: float, **told: Any) -> None:
        self.counted.append((job, tenant, name, number))
        self.times.append((told["times"], told["least"], told["most"]))

    def record(self, job: str, tenant: str | None, *, is_success: bool, times: int) -> None:
        self.recorded.append((job, tenant, is_success, times))
