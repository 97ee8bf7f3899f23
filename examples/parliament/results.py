"""What every job of this application returns."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ScraperResult:
    """How a job went. Rota asks any object for `success`: one that says no has failed, whatever else is true. Its
    `error` is the error of the run, its numbers are kept and counted."""

    success: bool
    error: Exception | None = None
    lines_added: int = 0
    lines_processed: int = 0
