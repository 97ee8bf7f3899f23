"""Jobs as the systems that Rota replaces have them, unchanged: what they import is here as they have it."""

import multiprocessing.synchronize

from sqlalchemy import text

SEEN: list[object] = []
"""What they did, for tests in this process."""


class ScraperResult:
    """The result object of an application."""

    def __init__(self, success: bool, error: Exception | None = None, lines_added: int = 0) -> None:
        self.success = success
        self.error = error
        self.lines_added = lines_added


def my_job(stop_event: multiprocessing.synchronize.Event) -> ScraperResult:
    """
    Job functions must:
    - Accept stop_event parameter
    - Regularly check stop_event.is_set()
    - Return ScraperResult
    """
    try:
        # Job implementation
        if stop_event.is_set():
            return ScraperResult(success=False, error=Exception("Job stopped"))

        for _ in range(3):
            SEEN.append("step")
            if stop_event.is_set():
                return ScraperResult(success=False, error=Exception("Job stopped"))

        return ScraperResult(success=True, lines_added=len(SEEN))
    except Exception as e:
        return ScraperResult(success=False, error=e)


def my_failing_job(stop_event: multiprocessing.synchronize.Event) -> ScraperResult:
    try:
        raise OSError("the site does not answer")
    except Exception as e:
        return ScraperResult(success=False, error=e)


def my_job_until_stopped(stop_event: multiprocessing.synchronize.Event) -> ScraperResult:
    SEEN.append("begun")
    while not stop_event.wait(10):
        pass
    return ScraperResult(success=False, error=Exception("Job stopped"))


class cron_metrics:  # noqa: N801  # a module of theirs
    """What they count with."""

    @staticmethod
    def record_success(job, db_name):
        SEEN.append(("success", job, db_name))

    @staticmethod
    def record_failure(job, db_name, e):
        SEEN.append(("failure", job, db_name))


def my_new_cron_job(db_name, engine):
    """
    Brief description of what this job does.
    Runs once per agency per cron schedule.
    """
    try:
        # Use db_name and engine to query this agency's database
        with engine.connect() as session:
            results = session.execute(text("SELECT name FROM whoami")).fetchall()
        for row in results:
            SEEN.append(row[0])
        cron_metrics.record_success("my_new_cron_job", db_name)
    except Exception as e:
        cron_metrics.record_failure("my_new_cron_job", db_name, e)
        # Do NOT re-raise — let the loop continue to the next agency


class CronJob:
    """What each of their cron jobs is."""

    def run(self):
        raise AssertionError("each fills this in")


class InvalidatePendingRegistration(CronJob):
    """Forget registrations that nobody confirmed."""

    def __init__(self):
        self.forgotten = []

    def run(self):
        self.forgotten.append("acme")
        SEEN.append(list(self.forgotten))
        return {"forgotten": len(self.forgotten)}


class WithDatabase(CronJob):
    def run(self, db_name, limit: int = 3):
        """Sum up one agency."""
        SEEN.append((db_name, limit))


class NoopCronJob(CronJob):
    async def run(self) -> str:
        return "nothing to do"


def grows(items: list[int], names: dict[str, int]) -> int:
    """Changes what it was given, and fails the first two times."""
    SEEN.append((list(items), dict(names)))
    items.append(99)
    names.clear()
    if len(SEEN) < 3:
        raise OSError("not yet")
    return len(items)


async def fetch(url: str) -> str:
    return url.upper()


def generated():
    yield 1


class NeedsArguments:
    def __init__(self, db, *, size):
        raise AssertionError("never made")

    def run(self): ...


class WithoutRun:
    run = "a text"
