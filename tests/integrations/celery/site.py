"""An application with a Celery fleet: Rota works in the test's own process, Celery in real ones."""

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rota.settings import load
from rota.settings.reading import laid_over
from tests.system.processes import Site, kill_tree, wait_until

FLEET = """
from celery import Celery
from rota.integrations.celery import join

celery = Celery(broker={broker!r}, backend={backend!r})
celery.conf.update(task_default_queue={queue!r}, worker_prefetch_multiplier=1, worker_hijack_root_logger=False)
fleet = join(app, celery, patience="2s")
"""

SETTINGS = """
[worker]
lease = "10s"
heartbeat = "1s"
margin = "3s"
kill_grace = "1s"
grace = "500ms"
"""


class FleetSite(Site):
    """A site whose jobs a Celery fleet carries out, and whose application is imported here as well."""

    def __init__(self, folder: Path, *, broker: str, jobs: str, backend: str | None = None) -> None:
        # Several use one RabbitMQ.
        self.queue: str = f"{folder.parent.name}-{folder.name}"
        fleet = FLEET.format(broker=broker, backend=backend, queue=self.queue)
        super().__init__(folder, url=f"sqlite:///{folder}/rota.db", jobs=fleet + jobs, settings=SETTINGS)
        spec = importlib.util.spec_from_file_location(f"fleet_site_{folder.name}", folder / "app.py")
        assert spec is not None and spec.loader is not None
        self.module: Any = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.module)
        self.app = self.module.app
        self.app.configure(laid_over(self.app.settings, load(env={}, directory=folder)))

    @contextmanager
    def celery_worker(self, *options: str) -> Iterator[subprocess.Popen[str]]:
        """Have a Celery worker at work, with the processes of a pool, for the time of the block."""
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "INFO"]
        # A name of its own: of two workers of one name RabbitMQ lets the second one not begin.
        quiet += ["-n", f"{self.queue}@%h"]
        command = [sys.executable, "-m", "celery", "-A", "app:celery", "worker", *quiet, *(options or ("-c", "2"))]
        with (self.folder / "celery.log").open("a") as log:
            process = subprocess.Popen(
                command, cwd=self.folder, env=self.environment(), stdout=log, stderr=subprocess.STDOUT, text=True
            )
            try:
                yield process
            finally:
                kill_tree(process)

    def run(self, run_id: str) -> Any:
        """Return a run with its attempts, and `run` for short."""
        return self.app.store.run(run_id)

    def ended(self, run_id: str) -> Any:
        """Wait for the end of a run, and return it."""
        wait_until(lambda: self.run(run_id).run.state.is_final, what=f"the end of {run_id}")
        return self.run(run_id)

    def began(self, run_id: str) -> dict[str, Any]:
        """Wait until a job has written into the journal that it began, and return its last line."""
        wait_until(lambda: self.journal(event="start", run=run_id), what=f"the beginning of {run_id}")
        return self.journal(event="start", run=run_id)[-1]

    def said(self, run_id: str) -> list[str]:
        """Return the lines of a run's log."""
        return [line.text for chunk in self.app.store.log(run_id) for line in chunk.lines]

    def celery_log(self) -> str:
        return (self.folder / "celery.log").read_text()

    def purge(self) -> int:
        """Wait for a message in the broker, and throw all of them away; return how many."""
        thrown = 0

        def purged() -> int:
            nonlocal thrown
            with self.module.celery.connection_for_write() as connection:
                queue = self.module.celery.amqp.queues[self.queue].bind(connection.default_channel)
                queue.declare()
                thrown += queue.purge() or 0
            return thrown

        wait_until(purged, what="a message")
        return thrown
