"""A private Dovecot: mailboxes in a folder, on a port of its own, for as long as somebody wants it."""

import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import count
from pathlib import Path

import msgspec
from imapclient import SEEN, IMAPClient
from msgspec import Struct

from rota.clock import sleep

HOST = "127.0.0.1"
START_ATTEMPTS = 500
OWNER = ("nobody", "nogroup")
"""Of the mail where root runs this, who may own none; anybody else may not hand it over."""

CONFIGURATION = """
protocols = imap
listen = {host}
base_dir = {home}/run
state_dir = {home}/run
log_path = {home}/log
ssl = no
disable_plaintext_auth = no
auth_failure_delay = 0
mail_max_userip_connections = 100
mail_location = maildir:~/Maildir
mail_fsync = never
mail_uid = {user}
mail_gid = {group}
first_valid_uid = 1
default_internal_user = {internal}
default_login_user = {login}
service imap-login {{
  chroot =
  service_count = 0
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service imap {{
  service_count = 100
  process_limit = 100
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {home}/users
}}
userdb {{
  driver = static
  args = home={home}/mail/%u
}}
"""


class MailServer(Struct, frozen=True, kw_only=True):
    """It answers here."""

    home: Path
    port: int
    passwords: Mapping[str, str]
    _numbers: Iterator[int] = msgspec.field(default_factory=count)

    def deliver(self, username: str, *mails: bytes) -> None:
        """Put mails into somebody's INBOX, as a server of incoming mail does: whole files, in their order."""
        maildir = self.home / "mail" / username / "Maildir"
        for folder in (maildir.parent, maildir, *(maildir / name for name in ("cur", "new", "tmp"))):
            folder.mkdir(exist_ok=True)
            _hand_over(folder)
        for mail in mails:
            number = next(self._numbers)
            file = maildir / "tmp" / f"{number:010}.M{number}.demo"
            file.write_bytes(mail)
            _hand_over(file)
            file.rename(maildir / "new" / file.name)

    def mark_seen(self, username: str, uids: Sequence[int]) -> None:
        """Mark messages as read, as the owner does in a program of their own."""
        with IMAPClient(HOST, self.port, ssl=False) as client:
            client.login(username, self.passwords[username])
            client.select_folder("INBOX")
            client.add_flags(uids, [SEEN])

    def renumber(self, username: str) -> None:
        """Forget all UIDs of an INBOX, as when it is restored from a backup: UIDVALIDITY changes."""
        maildir = self.home / "mail" / username / "Maildir"
        uids = maildir / "dovecot-uidlist"
        uidvalidity = int(uids.read_text().split()[1].removeprefix("V"))
        for file in maildir.glob("dovecot*"):
            file.unlink()
        # Otherwise it would be the time in seconds, which may be the same.
        uids.write_text(f"3 V{uidvalidity + 1} N1 G{secrets.token_hex(16)}\n")
        _hand_over(uids)


def is_installed() -> bool:
    """Return whether there is a Dovecot."""
    return _dovecot() is not None


@contextmanager
def mail_server(home: Path, passwords: Mapping[str, str], *, port: int | None = None) -> Iterator[MailServer]:
    """Run Dovecot for the length of the block, with a mailbox for each name; it ends with this process, too."""
    port = port or _free_port()
    _configure(home, port, passwords)
    command = [_dovecot() or "dovecot", "-F", "-c", str(home / "dovecot.conf")]
    # Killed as we may be, nobody stays behind.
    guarded = ["setpriv", "--pdeathsig", "TERM", *command] if shutil.which("setpriv") else command
    with subprocess.Popen(guarded) as process:
        try:
            _wait_for_greeting(process, port)
            yield MailServer(home=home, port=port, passwords=passwords)
        finally:
            process.terminate()


def _configure(home: Path, port: int, passwords: Mapping[str, str]) -> None:
    user, group = OWNER if _is_root() else (str(os.geteuid()), str(os.getegid()))
    internal, login = ("dovecot", "dovenull") if _is_root() else (user, user)
    for folder in (home, home / "mail"):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
    _hand_over(home / "mail")
    users = home / "users"
    users.write_text("".join(f"{name}:{password}\n" for name, password in passwords.items()))
    (home / "dovecot.conf").write_text(
        CONFIGURATION.format(host=HOST, home=home, port=port, user=user, group=group, internal=internal, login=login)
    )


def _is_root() -> bool:
    return os.geteuid() == 0


def _hand_over(path: Path) -> None:
    if _is_root():
        shutil.chown(path, *OWNER)


def _dovecot() -> str | None:
    return shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _wait_for_greeting(process: "subprocess.Popen[bytes]", port: int) -> None:
    for _ in range(START_ATTEMPTS):
        with suppress(OSError), socket.create_connection((HOST, port), timeout=5) as line:
            if line.recv(100).startswith(b"* OK"):
                return
        if process.poll() is not None:
            break
        sleep(timedelta(seconds=0.02))
    raise RuntimeError("Dovecot does not start: see above, and the file log beside its configuration")
