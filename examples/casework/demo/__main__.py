"""All of it on this machine: agencies with made-up mail, workers, and the web. What `make run` starts.

What it finds in its folder it goes on with.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from examples.casework.agencies import add_agency
from examples.casework.demo.agency import furnish, letters, token_of
from examples.casework.demo.mail_server import MailServer, is_installed, mail_server
from rota.clock import SystemClock

AGENCIES = [f"agency_{number:02}" for number in range(1, 9)]
LETTERS = 60
PORT = "5000"
MAIL_PORT = 50143

HINTS = """
    {count} agencies are at work. In another terminal:

    curl -H "X-Agency: agency_03" -H "Authorization: Bearer {token}" localhost:{port}/cases/C-2026-0010
    curl -X POST -H "X-Agency: agency_03" -H "Authorization: Bearer {token}" localhost:{port}/mailbox/sync
    make rota ARGS="jobs"
    make rota ARGS="run EMAIL_SYNC_AGENCY --tenant agency_03"

    Ctrl-C ends it.
"""


def main(work: Path) -> None:
    """Furnish what is missing, and run web and workers until Ctrl-C."""
    # As Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    work.mkdir(exist_ok=True)
    # The mail server has users of its own.
    work.chmod(0o755)
    rota, flask = ([sys.executable, "-m", name] for name in ("rota", "flask"))
    with mail(work / "mail") as server:
        if not (work / "furnished").exists():
            prepare(server)
            (work / "furnished").touch()
        subprocess.run([*rota, "db", "upgrade"], check=True)
        with (
            subprocess.Popen([*rota, "start", "--processes", "1"]) as workers,
            subprocess.Popen([*flask, "--app", "examples.casework.app", "run", "--port", PORT]) as pages,
        ):
            print(HINTS.format(count=len(AGENCIES), token=token_of(AGENCIES[2]), port=PORT), flush=True)
            with suppress(KeyboardInterrupt):
                workers.wait()
            pages.terminate()
            workers.terminate()


@contextmanager
def mail(home: Path) -> Iterator[MailServer | None]:
    """Have a mail server where one is installed, with a mailbox for an admin of each agency."""
    if not is_installed():
        print("No mail: install Dovecot (the package dovecot-imapd) to see some.")
        yield None
        return
    with mail_server(home, dict.fromkeys(AGENCIES, "secret"), port=MAIL_PORT) as server:
        yield server


def prepare(server: MailServer | None) -> None:
    """Make the agencies, and what their admins have in their mailboxes."""
    now = SystemClock().now()
    for agency in AGENCIES:
        database = add_agency(os.environ["CASEWORK_AGENCIES"], agency)
        mailboxes = [agency] if server else []
        furnish(database, agency, mail_port=MAIL_PORT, mailboxes=mailboxes, now=now)
        if server:
            server.deliver(agency, *letters(agency, LETTERS, at=now))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
