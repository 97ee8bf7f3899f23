"""The casework example reads real mailboxes: each message is stored once, whatever happens on the way."""

import queue
import socketserver
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count

import pytest
from imapclient.exceptions import IMAPClientError
from sqlalchemy import create_engine, func, select, update
from sqlalchemy.orm import Session

from examples.casework.mail.mailbox import Refused, open_mailbox
from examples.casework.mail.sync import Overtaken, position_of, sync
from examples.casework.models import Admin, MailAccount, Message, db
from tests.mail_server import hangs, scripted
from tests.proxy import Mode, proxy

pytestmark = pytest.mark.xdist_group("casework")

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
numbers = count()


@pytest.fixture
def box(dovecot):
    """The name of a mailbox that nobody has used."""
    return f"box{next(numbers)}"


@pytest.fixture
def agency(tmp_path):
    """The engine of an agency's database."""
    engine = create_engine(f"sqlite:///{tmp_path}/agency.db")
    db.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def account(agency, dovecot, box):
    with Session(agency) as session:
        session.add(Admin(id=1, name="Ana", email="ana@agency.example"))
        session.add(
            MailAccount(
                id=1, admin_id=1, host="127.0.0.1", port=dovecot.port, is_private=False,
                username=box, password="secret", connected_at=NOON,
            )
        )  # fmt: skip
        session.commit()
    return 1


def mails(number, *, first=0):
    return [
        f"Message-ID: <{n}@x>\r\nSubject: {n}\r\nFrom: a@b.org\r\n\r\nBody {n}\r\n".encode()
        for n in range(first, first + number)
    ]


def read_all(agency, dovecot, box, *, tell=lambda done, total: None):
    """Read the mailbox as a job does, and return how many messages were stored."""
    with Session(agency) as session:
        at = position_of(session.get_one(MailAccount, 1))
        session.commit()
        with opened(dovecot, box) as mailbox:
            return sync(session, at, mailbox, tell=tell, now=NOON)


@contextmanager
def opened(dovecot, box, password="secret"):
    with open_mailbox("127.0.0.1", dovecot.port, username=box, password=password, is_private=False) as mailbox:
        yield mailbox


def stored(agency):
    """Return the subjects that are stored, in their order, and how far the mailbox was read."""
    with Session(agency) as session:
        return (
            list(session.scalars(select(Message.subject).order_by(Message.id))),
            session.get_one(MailAccount, 1).last_uid,
        )


class Killed(BaseException):
    """The process ends here."""


def test_thousands_of_messages_are_stored_once_though_the_reading_is_killed_half_way(agency, account, dovecot, box):
    dovecot.deliver(box, *mails(2000))

    def dies(done, total):
        assert total == 2000
        if done == 700:
            raise Killed

    with pytest.raises(Killed):
        read_all(agency, dovecot, box, tell=dies)
    half = stored(agency)
    again = read_all(agency, dovecot, box)
    and_again = read_all(agency, dovecot, box)

    assert (len(half[0]), half[1]) == (700, 700)
    assert (again, and_again) == (1300, 0)
    assert stored(agency) == ([str(n) for n in range(2000)], 2000)


def test_a_server_that_numbers_anew_has_nothing_stored_twice(agency, account, dovecot, box):
    dovecot.deliver(box, *mails(150))
    read_all(agency, dovecot, box)
    with Session(agency) as session:
        before = session.get_one(MailAccount, 1).uidvalidity
    dovecot.renumber(box)
    dovecot.deliver(box, *mails(1, first=150))

    assert read_all(agency, dovecot, box) == 1
    with Session(agency) as session:
        now_valid = session.get_one(MailAccount, 1).uidvalidity
        assert now_valid != before
        by_validity = select(Message.uidvalidity, func.count()).group_by(Message.uidvalidity)
        assert dict(session.execute(by_validity).all()) == {now_valid: 151}


def test_whoever_reads_on_after_a_disconnect_writes_nothing(agency, account, dovecot, box):
    dovecot.deliver(box, *mails(300))

    def disconnected(done, total):
        if done == 100:
            with Session(agency) as other:
                other.execute(update(MailAccount).values(connection=2, password=None))
                other.commit()

    with pytest.raises(Overtaken):
        read_all(agency, dovecot, box, tell=disconnected)

    assert stored(agency) == ([str(n) for n in range(100)], 100)


def test_of_two_that_read_the_same_mailbox_one_goes_on(agency, account, dovecot, box):
    dovecot.deliver(box, *mails(300))

    def overtaken(done, total):
        if done == 100:
            assert read_all(agency, dovecot, box) == 200

    with pytest.raises(Overtaken):
        read_all(agency, dovecot, box, tell=overtaken)

    assert stored(agency) == ([str(n) for n in range(300)], 300)


def test_what_was_read_elsewhere_is_seen_here(agency, account, dovecot, box):
    dovecot.deliver(box, *mails(5))
    read_all(agency, dovecot, box)
    dovecot.mark_seen(box, [2, 4])
    dovecot.deliver(box, *mails(1, first=5))

    read_all(agency, dovecot, box)

    with Session(agency) as session:
        assert list(session.scalars(select(Message.uid).where(Message.is_seen).order_by(Message.uid))) == [2, 4]


def test_broken_mails_are_stored_beside_whole_ones(agency, account, dovecot, box):
    broken = [
        b"\xff\xfe no headers",
        b"Subject: =?nonsense?b?!!!?=\r\nDate: never\r\nFrom: <<>\r\n\r\n",
        b'Content-Type: multipart/mixed; boundary="x\r\n\r\n--x\r\n\0\0',
        b"Message-ID: " + b"<" + b"y" * 3000 + b">\r\nSubject: " + "Zäune".encode("latin-1") + b"\r\n\r\n\xe9",
        b"Subject: big\r\n\r\n" + b"0123456789\r\n" * 100_000,
    ]
    dovecot.deliver(box, *broken, *mails(1))

    assert read_all(agency, dovecot, box) == 6
    assert read_all(agency, dovecot, box) == 0


def test_a_wrong_password_is_refused(dovecot, box):
    with pytest.raises(Refused, match="AUTHENTICATIONFAILED"), opened(dovecot, box, password="wrong"):
        pass


class OfFewWords(socketserver.StreamRequestHandler):
    """Greets, says what it can do, and answers a login as its server says; with nothing, it closes."""

    def handle(self):
        self.wfile.write(b"* OK here\r\n")
        for line in self.rfile:
            tag, word = line.split()[:2]
            if word == b"LOGIN":
                self.wfile.write(self.server.answer and tag + b" NO " + self.server.answer + b"\r\n")
                return
            self.wfile.write(b"* CAPABILITY IMAP4rev1\r\n" + tag + b" OK done\r\n")


@pytest.mark.parametrize("answer", [b"", b"[UNAVAILABLE] try later"])
def test_trouble_of_the_server_is_no_wrong_password(answer):
    with socketserver.TCPServer(("127.0.0.1", 0), OfFewWords) as server:
        server.answer = answer
        threading.Thread(target=server.handle_request, daemon=True).start()
        port = server.server_address[1]
        opening = open_mailbox("127.0.0.1", port, username="ana", password="x", is_private=False)

        with pytest.raises((OSError, IMAPClientError)), opening:  # a Refused is neither
            pass


def test_a_server_that_does_not_even_greet_is_waited_for_no_longer_than_said():
    with scripted(ending=hangs) as server:
        opening = open_mailbox("127.0.0.1", server.port, username="a", password="b", is_private=False, patience=0.2)

        with pytest.raises(TimeoutError), opening:
            pass


def test_a_mailbox_that_hangs_is_left_when_somebody_says_so(dovecot, box):
    ended = queue.Queue()

    def select_it(mailbox):
        try:
            mailbox.select()
        except (OSError, IMAPClientError) as error:
            ended.put(error)

    with proxy(dovecot.port) as line, opened(line, box) as mailbox:
        line.to(Mode.ONE_WAY)
        reading = threading.Thread(target=select_it, args=[mailbox])
        reading.start()
        mailbox.hang_up()
        ended.get(timeout=10)
        reading.join(10)
