"""A job breaks for one bakery: the mails, the status page, the recovery. `python -m examples.oncall.demo`

Ends with 1 when somebody is not told what happened.
"""

import json
import os
import queue
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from examples.oncall.mailbox import Mailbox, mail_server
from rota.clock import SystemClock, sleep

HERE = Path(__file__).parent
BAKERIES = ("anna", "bruno", "carla", "dario", "emma")
BROKEN = "carla"
PATIENCE_S = 60.0
CLOCK = SystemClock()


class NotTold(Exception):
    """What should have been seen was not."""


def main() -> int:
    """Tell the story; return 1 where it went otherwise."""
    with TemporaryDirectory(prefix="oncall-") as folder, mail_server() as (mailbox, address):
        story = Story(Path(folder), mailbox, address)
        try:
            story.tell()
        except NotTold as error:
            print(f"\nNOT AS IT SHOULD BE: {error}\n")
            print((story.folder / "rota.log").read_text())
            return 1
    print("\nEverything was told, once, and nobody had to ask.")
    return 0


class Story:
    """Five bakeries, of which one breaks."""

    def __init__(self, folder: Path, mailbox: Mailbox, address: str) -> None:
        self.folder = folder
        self.mailbox = mailbox
        self.environment = {
            **os.environ,
            "ONCALL_WORK": str(folder),
            "ONCALL_SMTP": address,
            "ROTA_CONFIG": str(HERE / "rota.toml"),
            "ROTA_FRESHNESS__STATUS_PAGE": str(folder / "freshness"),
        }

    def tell(self) -> None:
        self.open_bakeries()
        with self.rota_at_work():
            print("1. All is well")
            self.expect("the status page says fresh", lambda: self.page()["state"] == "fresh")
            print(f"   the status page: {self.page()['counts']}")

            print(f"\n2. The orders of {BROKEN} are gone")
            self.change("ALTER TABLE orders RENAME TO orders_of_last_year")
            kinds = {self.next_mail()["X-Rota-Kind"], self.next_mail()["X-Rota-Kind"]}
            if kinds != {"failed", "stale"}:
                raise NotTold(f"one mail of the failure and one that it is stale were to come, not {kinds}")
            self.expect("the status page says stale", lambda: self.page()["state"] == "stale")
            print(f"   the status page: {self.page()['counts']}")

            print("\n3. Mended")
            self.change("ALTER TABLE orders_of_last_year RENAME TO orders")
            stages = {self.next_mail()["X-Rota-Stage"], self.next_mail()["X-Rota-Stage"]}
            if stages != {"recovered"}:
                raise NotTold(f"two mails of recovery were to come, not {stages}")
            self.expect("the status page says fresh again", lambda: self.page()["state"] == "fresh")
            print(f"   the status page: {self.page()['counts']}")
        try:
            self.mailbox.next(within=0.1)
        except queue.Empty:
            return
        raise NotTold("there was one mail too many")

    def open_bakeries(self) -> None:
        (self.folder / "bakeries").mkdir()
        for name in BAKERIES:
            with sqlite3.connect(self.folder / "bakeries" / f"{name}.db") as database:
                database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, what TEXT)")
                database.execute("INSERT INTO orders (what) VALUES ('twelve rolls')")
            database.close()

    def change(self, statement: str) -> None:
        """Do something to the database of the bakery that breaks."""
        database = sqlite3.connect(self.folder / "bakeries" / f"{BROKEN}.db", timeout=30)
        with database:
            database.execute(statement)
        database.close()

    @contextmanager
    def rota_at_work(self) -> Iterator[None]:
        """Have `rota start` work for as long as the block lasts."""
        command = [sys.executable, "-m", "rota", "start", "--processes", "1"]
        with (
            open(self.folder / "rota.log", "wb") as log,
            subprocess.Popen(command, env=self.environment, stderr=log) as process,
        ):
            try:
                yield
            finally:
                process.terminate()
                process.wait(timeout=PATIENCE_S)

    def page(self) -> dict[str, Any]:
        """Return what the status page says of the job, as JSON."""
        page: dict[str, Any] = json.loads((self.folder / "freshness" / "count_orders_fresh.json").read_text())
        return page

    def next_mail(self) -> EmailMessage:
        try:
            mail = self.mailbox.next(within=PATIENCE_S)
        except queue.Empty:
            raise NotTold("no mail came") from None
        print(f"   a mail: {mail['Subject']}")
        return mail

    def expect(self, what: str, holds: Callable[[], bool]) -> None:
        """Wait until something holds."""
        ends = CLOCK.monotonic() + PATIENCE_S
        while CLOCK.monotonic() < ends:
            try:
                if holds():
                    return
            except FileNotFoundError:
                # The first look is still to come.
                pass
            sleep(timedelta(seconds=0.2))
        raise NotTold(f"{what}: not within {PATIENCE_S:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
