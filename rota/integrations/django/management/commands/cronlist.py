"""`manage.py cronlist`: the commands of `ROTA["cron"]`, and how they stand."""

from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from rota.core.model import Progress, State
from rota.errors import RotaError
from rota.exits import exit_of
from rota.integrations.django import configuration, rota
from rota.integrations.django.entries import Entry, read
from rota.queries import RunQuery

LOOKED_AT = 100
"""Of the newest runs of a command: more than ever wait at once."""


class Command(BaseCommand):
    """Lists the commands with what is kept of them."""

    help = 'List the commands of ROTA["cron"], when each is due next, and how it went.'

    def handle(self, **_: Any) -> None:
        """Print a paragraph for each command; times are UTC."""
        try:
            self._list()
        except RotaError as error:
            raise CommandError(str(error), returncode=exit_of(error)) from error

    def _list(self) -> None:
        entries = [entry for entry in read(configuration.read().cron) if isinstance(entry, Entry)]
        rota.schedules.sync()
        for entry in entries:
            self.stdout.write(f"{entry.cmd} {' '.join(entry.args)}".rstrip())
            for name, value in self._facts(entry).items():
                self.stdout.write(f"  {name:<13} {value}")
        if not entries:
            self.stdout.write('ROTA["cron"] names no command')

    def _facts(self, entry: Entry) -> dict[str, str]:
        schedule = rota.schedules.get(entry.cmd)
        progress = next(iter(rota.store.progress(schedule=entry.cmd)), Progress(schedule=entry.cmd, tenant=""))
        runs = rota.store.runs(RunQuery(jobs=(entry.cmd,), limit=LOOKED_AT))
        # What has begun: behind a time that fails the later ones wait.
        run = next((run for run in runs if run.attempt), None)
        is_failing = run is not None and run.state in (State.SCHEDULED, State.QUEUED)
        failures = run.attempt if run is not None and is_failing else progress.failures
        facts = {"when": schedule.timing, "state": str(schedule.state), "next": _shown(schedule.next_at)}
        facts |= {"last success": _shown(progress.last_success), "failures": str(failures)}
        if run is not None:
            facts["last run"] = f"{'failing' if is_failing else run.state}, of {_shown(run.slot or run.created_at)}"
            history = rota.store.run(run.id)
            errors = [one.error for one in history.attempts if one.error is not None] if history is not None else []
            if errors:
                facts["last error"] = errors[-1].first_line
        made_up = "every missed time" if entry.backfill else "the newest missed time"
        return {**facts, "made up": made_up}


def _shown(at: datetime | None) -> str:
    return "-" if at is None else f"{at:%Y-%m-%d %H:%M:%S}"
