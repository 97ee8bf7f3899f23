"""Rota's side of a Celery fleet: sends the id of a run, and the token that whoever takes it over has to show."""

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from celery import Celery
from kombu.pools import producers

from rota.app import Rota
from rota.core.duration import parse_duration
from rota.core.model import Run
from rota.errors import ConfigurationError, FleetUnavailable
from rota.integrations.celery.station import Station
from rota.redaction import redacted

log: logging.Logger = logging.getLogger(__name__)

TASK = "rota.carry_out"

BEHIND = timedelta(seconds=10)
"""How much later than Rota itself Celery ends a task that is over its time: for code that lets no other thread run."""

FEW_TRIES = {"max_retries": 1, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.2}
"""For the connection and for each message. By its own defaults Celery would try to connect for ever, and the run would
wait in this process, where nobody else can take it."""


def join(
    rota: Rota,
    celery: Celery,
    *,
    executor: str = "celery",
    queues: Mapping[str, str] = MappingProxyType({}),
    places: int = 100,
    patience: timedelta | str = timedelta(minutes=2),
    by_default: bool = False,
) -> "CeleryFleet":
    """Have the workers of a Celery application carry out the runs of jobs with this executor.

    To be called where the Celery application is made, in a module that its workers import: it registers a task there,
    and the workers need the jobs and the store as well. `queues` names the Celery queue for a queue of Rota's; all
    others go where Celery routes the task `rota.carry_out`. At most `places` runs of one Rota process wait in the
    broker at once, each for at most `patience`: then it is given back and sent anew, without counting as an attempt.
    With `by_default` jobs that name no executor are meant too. A second fleet is called `celery:NAME`.

    Raises:
        ConfigurationError: the executor has a fleet already, or a value cannot be meant.
    """
    allowed = parse_duration(patience) if isinstance(patience, str) else patience
    if allowed <= timedelta(0) or places < 1:
        raise ConfigurationError(f"join(places={places}, patience={patience!r}): both must be more than nothing")
    station = Station(rota)

    def carry_out(run_id: str, token: int) -> str:
        return station.carry_out(run_id, token)

    # Acknowledged before the run begins: whether it is done is the ledger's to know, not the broker's. Not shared: by
    # default the applications of a process have each other's tasks, and one of two fleets would do the other's work.
    task = celery.task(name=TASK, shared=False, ignore_result=True, acks_late=False, max_retries=0)(carry_out)
    fleet = CeleryFleet(rota, celery, task, queues=queues, places=places, patience=allowed)
    rota.fleets.use(executor, fleet, by_default=by_default)
    return fleet


class CeleryFleet:
    """Sends messages: nothing is in them but id and token. Whoever may read the broker learns nothing of a tenant, and
    whoever may write to it can start nothing that Rota has not just claimed."""

    def __init__(
        self,
        rota: Rota,
        celery: Celery,
        task: Any,
        *,
        queues: Mapping[str, str],
        places: int,
        patience: timedelta,
    ) -> None:
        self._rota = rota
        self._celery = celery
        self._task = task
        self._queues = queues
        self.places: int = places
        self.patience: timedelta = patience

    def send(self, run: Run) -> None:
        """Send word of a claimed run; within some seconds, or not at all.

        Raises:
            FleetUnavailable: the broker takes no messages.
        """
        broker = "of Celery"
        try:
            connection = self._celery.connection_for_write(transport_options={**FEW_TRIES, "confirm_publish": True})
            broker = connection.as_uri()
            with producers[connection].acquire(block=True, timeout=self.patience.total_seconds()) as producer:
                self._task.apply_async(
                    (run.id, run.token),
                    task_id=task_id(run),
                    # By then it is nobody's work any more, and need not be delivered.
                    expires=self.patience.total_seconds(),
                    producer=producer,
                    serializer="json",
                    retry=True,
                    retry_policy=FEW_TRIES,
                    ignore_result=True,
                    **self._options(run),
                )
        # Around a system of somebody else's, with transports, routers and hooks: whatever it raises, the run goes back.
        except Exception as error:
            what = f"{type(error).__name__}: {redacted(str(error))}"
            raise FleetUnavailable(f"the broker {broker} takes no messages: {what}") from error

    def _options(self, run: Run) -> dict[str, Any]:
        options: dict[str, Any] = {"queue": self._queues[run.queue]} if run.queue in self._queues else {}
        if (timeout := self._rota.jobs[run.job].job.timeout) is not None:
            worker = self._rota.settings.worker
            options["time_limit"] = (timeout + worker.grace + worker.kill_grace + BEHIND).total_seconds()
        return options

    def recall(self, runs: Sequence[Run]) -> None:
        """Have workers throw messages away whose runs are somebody else's by now. They would refuse them anyway."""
        try:
            self._celery.control.revoke([task_id(run) for run in runs])
        # A hint: whatever is wrong over there, the run is not affected.
        except Exception as error:  # noqa: BLE001
            log.debug("could not revoke %d messages: %s", len(runs), error)


def task_id(run: Run) -> str:
    """Return the id of the message of a claimed run: of another claim it is another one."""
    return f"rota-{run.id}-{run.token}"
