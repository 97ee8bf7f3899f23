"""`manage.py cronrun`: run the commands of `ROTA["cron"]` that are due."""

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rota.cli.logs import start_logging
from rota.core.duration import parse_duration
from rota.core.model import Outcome, Settlement, State
from rota.errors import RotaError, StoreUnavailable
from rota.exits import Exit, exit_of
from rota.integrations.django import commands, configuration, discovery, rota
from rota.queries import RunQuery

log: logging.Logger = logging.getLogger(__name__)

LONGEST = timedelta(days=1)
"""How long one pass may take: longer than any command, which ends by its own time limit."""


class Command(BaseCommand):
    """One pass over the list, or one after another."""

    help = 'Run the commands of ROTA["cron"] that are due. Two at once run nothing twice.'

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--job", metavar="NAME", help="Only this command of the list.")
        parser.add_argument("--force", action="store_true", help="Run it now, due or not; it counts as no success.")
        parser.add_argument(
            "--job-arg", action="append", default=[], metavar="NAME=VALUE", help="An option for it, with --force."
        )
        parser.add_argument(
            "--forever", action="store_true", help="Do a pass again and again until SIGTERM, which drains."
        )
        parser.add_argument("--every", default="1m", metavar="DURATION", help="How often, with --forever: 1m.")

    def handle(self, **options: Any) -> None:
        """Do what the options say; exit with 1 if all that ran failed, with 6 if some did."""
        try:
            self._run(**options)
        except (RotaError, ValueError) as error:
            raise CommandError(str(error), returncode=exit_of(error) if isinstance(error, RotaError) else 2) from error

    def _run(self, *, job: str | None, force: bool, job_arg: list[str], forever: bool, every: str, **_: Any) -> None:
        items = configuration.read().cron
        jobs = commands.chosen(items, job or "all")
        start_logging(rota.settings, verbosity=0)
        if (force or job_arg) and job is None:
            raise CommandError("--force and --job-arg are for one command: say --job NAME", returncode=2)
        if job_arg and not force:
            raise CommandError(
                "--job-arg goes with --force: what is due runs with the arguments of the list", returncode=2
            )
        if forever and force:
            raise CommandError("--forever and --force do not go together", returncode=2)
        with told_to_stop() as stop:
            if forever:
                self._keep_on(jobs, every=parse_duration(every), stop=stop)
                return
            if force:
                self._forced(jobs[0], commands.options_of(job_arg), stop)
                return
            ended = self._pass(jobs, stop.is_set)
        failed = [one.run.job for one in ended if one.outcome not in commands.GOOD]
        self._exit(sum(one.outcome is Outcome.SUCCEEDED for one in ended), failed)

    def _forced(self, job: str, words: list[str], stop: threading.Event) -> None:
        round_ = rota.start_run(job, kwargs={"arguments": words} if words else {})
        self._pass([job], stop.is_set)
        # Another process that works may have taken it, so what counts is what is recorded.
        [run] = rota.store.runs(RunQuery(round_id=round_.id))
        # Once, as it was asked for: what failed is not tried again by later passes.
        commands.cancel_waiting(rota, RunQuery(round_id=round_.id), reason="cronrun --force tries once")
        has_succeeded = run.state is State.SUCCEEDED
        self._exit(int(has_succeeded), [] if has_succeeded else [job])

    def _pass(self, jobs: list[str], stop: Callable[[], bool]) -> list[Settlement]:
        assert discovery.outcomes is not None, "the apps are loaded"
        with discovery.outcomes.kept() as ended:
            rota.tick(only=jobs, limit=LONGEST, stop=stop)
        return ended

    def _keep_on(self, jobs: list[str], *, every: timedelta, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                self._pass(jobs, stop.is_set)
            except StoreUnavailable as error:
                # Made up by a pass after it is back, as what any other outage missed.
                log.error("this pass did not come to its end: %s", error)
            stop.wait(every.total_seconds())

    def _exit(self, done: int, failed: list[str]) -> None:
        self.stdout.write(f"{done} succeeded, {len(failed)} failed" if done or failed else "nothing was due")
        if failed:
            names = ", ".join(sorted(set(failed)))
            raise CommandError(f"failed: {names}", returncode=Exit.PARTIAL if done else Exit.FAILED)


@contextmanager
def told_to_stop() -> Iterator[threading.Event]:
    """Yield what SIGTERM and Ctrl-C set within the block: a pass then drains, as a worker does."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        # Signals are the main thread's business.
        yield stop
        return
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
