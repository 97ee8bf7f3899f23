"""E-mail: what is sent, to whom, and over what (T42, T43, T44, T68); and servers that fail in every way (H1)."""

import re
from html.parser import HTMLParser

import pytest

from rota.clock import SystemClock
from rota.core.alert import Stage
from rota.errors import ConfigurationError, DeliveryFailed
from rota.notifiers import make
from rota.notifiers.email import mail_of
from tests.mail_server import babbles, drips, drops, drops_after_the_mail, hangs, mail_server, scripted
from tests.values import HOUR, NOON, an_alert

NASTY = [
    "a\r\nBcc: eve@example.com",
    "a\nBcc: eve@example.com",
    "a\rBcc: eve@example.com",
    "a\x00b",
    "a\u2028Bcc: eve@example.com\u2029x\x85y\x0bz\x0c",
    "=?utf-8?q?a=0D=0ABcc:_eve=40example.com?=",
    "=?utf-8?b?YQ0KQmNjOiBldmVAZXhhbXBsZS5jb20=?=",
    "\u202eelbisivni\u2066",
    "\ud800",
    "a" * 10_000,
    "<script>alert(1)</script>",
    "<img src=https://eve.example.com/x.png>",
    "\"'><b onmouseover=alert(1)>",
    "</p></body><h1>",
    "&lt;script&gt;",
    "javascript:alert(1)",
    "\n.\r\nMAIL FROM:<eve@example.com>",
]


@pytest.fixture
def channel():
    """Make a channel to a server on a port of this machine."""

    def channel(port, *, scheme="smtp", **options):
        given = {"to": ["ops@example.org"], "sender": "Rota <rota@example.org>", "timeout": "20s"} | options
        return make("email", {"smtp": f"{scheme}://127.0.0.1:{port}"} | given, clock=SystemClock())

    return channel


def sent(alert):
    return mail_of(alert, sender="Rota <rota@example.org>", to=["Ops <ops@example.org>"], prefix="[Rota]")


def part(mail, kind):
    body = mail.get_body((kind,))
    return body.get_content()


# --- what is sent ---


def test_the_mail_arrives_with_text_and_html(channel):  # R50
    with mail_server() as server:
        channel(server.port, to=["Ops <ops@example.org>", "b@example.org"]).send(an_alert())

    [mail] = server.mails
    assert (mail.sender, mail.to) == ("rota@example.org", ["ops@example.org", "b@example.org"])
    assert mail.message["To"] == "Ops <ops@example.org>, b@example.org"
    assert mail.message["Subject"] == "[Rota] email_sync is failing for 12 tenants"
    assert "AUTHENTICATIONFAILED" in part(mail.message, "plain")
    assert "AUTHENTICATIONFAILED" in part(mail.message, "html")


def test_the_text_is_what_one_wants_to_know_at_night():  # R50
    alert = an_alert(run_id="0197a", incident="0197b", id="0197c", note="waiting for the provider")

    assert part(sent(alert), "plain").replace("\r\n", "\n") == (
        "email_sync is failing for 12 tenants\n"
        "\n"
        "    imaplib.IMAP4.error: AUTHENTICATIONFAILED\n"
        "    at app/mail.py, line 40, in sync\n"
        "\n"
        "Job        email_sync\n"
        "Tenants    acme, globex, initech and 9 more\n"
        "Since      Mon 1 Jun 11:00 UTC, 1h ago\n"
        "Met        14 times, last at Mon 1 Jun 12:00 UTC\n"
        "Slot       Mon 1 Jun 11:59 UTC\n"
        "Last run   0197a\n"
        "\n"
        "Note: waiting for the provider\n"
        "\n"
        "What to type:\n"
        "    rota failures --job email_sync\n"
        "    rota show 0197a                                             # what happened to the last one\n"
        "    rota retry --where 'job:email_sync state:failed since:2h'   # run them again\n"
        "    rota alerts ack 0197b                                       # no reminders of it\n"
        "\n"
        "-- \n"
        "Rota · failed · incident 0197b · alert 0197c\n"
    )


def test_mails_of_one_incident_are_one_thread():  # R50
    opened = sent(an_alert(incident="i1", id="a1"))
    reminder = sent(an_alert(incident="i1", id="a2", stage=Stage.REMINDER))
    recovered = sent(an_alert(incident="i1", id="a3", stage=Stage.RECOVERED))

    assert opened["Message-ID"] == "<i1@example.org>"
    assert opened["References"] is None
    assert [one["Message-ID"] for one in (reminder, recovered)] == ["<a2@example.org>", "<a3@example.org>"]
    assert {one[name] for one in (reminder, recovered) for name in ("In-Reply-To", "References")} == {
        "<i1@example.org>"
    }


def test_that_it_was_opened_again_is_a_mail_of_its_own_in_the_thread():  # R50
    again = sent(an_alert(incident="i1", id="i1-3", openings=2))

    # Mailboxes drop a second one of the same id without a word.
    assert (again["Message-ID"], again["References"]) == ("<i1-3@example.org>", "<i1@example.org>")


def test_a_repeated_mail_is_the_same_mail():  # R50
    alert = an_alert(at=NOON - HOUR)
    first, again = sent(alert), sent(alert)

    assert [(name, first[name]) for name in ("Message-ID", "Date", "Subject")] == [
        (name, again[name]) for name in ("Message-ID", "Date", "Subject")
    ]
    assert first["Date"].datetime == NOON - HOUR


def test_nobody_who_is_absent_answers_it():
    assert sent(an_alert())["Auto-Submitted"] == "auto-generated"


@pytest.mark.parametrize("text", NASTY, ids=lambda text: ascii(text)[:30])
def test_no_header_and_no_recipient_comes_out_of_a_text(channel, text):  # T42, T44
    fields = dict.fromkeys(
        ("title", "error", "place", "job", "note", "advice", "url", "incident", "id", "run_id"), text
    )
    plain = sent(an_alert())

    with mail_server() as server:
        channel(server.port).send(an_alert(**fields, tenants=(text, text)))

    [mail] = server.mails
    assert mail.to == ["ops@example.org"]
    assert mail.message.keys() == plain.keys()
    assert mail.message.defects == []
    assert len(str(mail.message["Subject"])) <= 200
    assert all(str(mail.message[name]).isprintable() for name in mail.message if name != "Content-Type")
    for kind in ("plain", "html"):
        assert len(part(mail.message, kind)) < 20_000
        assert all(line.isprintable() for line in part(mail.message, kind).splitlines())


class Tags(HTMLParser):
    """Collects what a mail program would make of the HTML."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, tuple(name for name, _ in attrs)))


def tags(alert):
    reader = Tags()
    reader.feed(part(sent(alert), "html"))
    return reader.found


@pytest.mark.parametrize("text", NASTY, ids=lambda text: ascii(text)[:30])
def test_no_text_becomes_html(text):  # T43
    fields = dict.fromkeys(
        ("title", "error", "place", "job", "note", "advice", "url", "incident", "id", "run_id"), text
    )
    harmless = dict.fromkeys(fields, "text")

    assert tags(an_alert(**fields, tenants=(text, text))) == tags(an_alert(**harmless, tenants=("text", "text")))


def test_html_loads_nothing_and_links_only_to_the_page_of_the_incident():  # T43
    found = part(sent(an_alert(url="https://rota.example.org/i/1")), "html")

    assert re.findall(r"(?:src|background|url)\s*[=(]", found) == []
    assert set(re.findall(r'href="([^"]*)"', found)) == {"https://rota.example.org/i/1"}


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "https://a b", "https://a/\r\nx", "//a", 'https://a/"x', "ftp://a"]
)
def test_what_is_no_plain_web_address_is_no_link(url):  # T43
    assert "href" not in part(sent(an_alert(url=url)), "html")


# --- who is told, and over what ---


def test_starttls_is_used_and_the_login_goes_through_it(channel, authority):  # T44, T68
    certificate = authority.certificate("127.0.0.1")

    with mail_server(certificate=certificate, login=("rota", "hush")) as server:
        channel(server.port, user="rota", password="hush", ca_file=str(authority.file)).send(an_alert())

    [mail] = server.mails
    assert (mail.was_private, mail.user) == (True, "rota")


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not")
def test_smtps_is_private_from_the_first_byte(channel, authority):  # T44
    certificate = authority.certificate("127.0.0.1")

    with mail_server(certificate=certificate, is_private=True, login=("rota", "hush")) as server:
        made = channel(server.port, scheme="smtps", user="rota", password="hush", ca_file=str(authority.file))
        made.send(an_alert())

    assert [mail.user for mail in server.mails] == ["rota"]


@pytest.mark.parametrize("is_private", [False, True], ids=["starttls", "smtps"])
@pytest.mark.parametrize("name", ["127.0.0.1", "other.example.org"], ids=["unknown authority", "other name"])
def test_a_certificate_that_cannot_be_verified_ends_it(channel, authority, name, is_private):  # T44, T68, H1
    trusted = str(authority.file) if name != "127.0.0.1" else ""
    scheme = "smtps" if is_private else "smtp"

    with mail_server(certificate=authority.certificate(name), is_private=is_private) as server:
        made = channel(server.port, scheme=scheme, ca_file=trusted)
        with pytest.raises(DeliveryFailed, match="cannot be trusted: TLS: ") as caught:
            made.send(an_alert())

    assert server.mails == []
    assert not caught.value.permanent


def test_a_certificate_is_not_looked_at_where_the_configuration_says_so(channel, authority):  # T68
    with mail_server(certificate=authority.certificate("other.example.org")) as server:
        channel(server.port, insecure_certificate=True).send(an_alert())

    assert server.mails[0].was_private


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not")
def test_a_password_is_not_sent_in_plain(channel):  # T44
    with (
        mail_server(login=("rota", "hush"), asks_for_login_in_plain=True) as server,
        pytest.raises(DeliveryFailed, match="never sent in plain") as caught,
    ):
        channel(server.port, user="rota", password="hush").send(an_alert())

    assert caught.value.permanent
    assert server.mails == []


def test_a_server_elsewhere_that_offers_no_tls_gets_nothing(channel, monkeypatch):  # T44
    monkeypatch.setattr("rota.notifiers.smtp.is_loopback", lambda host: False)

    with mail_server() as server:
        with pytest.raises(DeliveryFailed, match="insecure_plaintext = true sends without") as caught:
            channel(server.port).send(an_alert())
        channel(server.port, insecure_plaintext=True).send(an_alert())

    assert caught.value.permanent
    assert len(server.mails) == 1


def test_what_was_said_before_tls_is_forgotten(channel, authority):  # T44
    # A stranger on the line offers a login in plain, and answers before the connection is private.
    with (
        scripted("220 hello", "250-me\r\n250 STARTTLS", "220 go\r\n250 AUTH PLAIN", ending=hangs) as server,
        pytest.raises(DeliveryFailed),
    ):
        channel(server.port, user="rota", password="hush", timeout="1s").send(an_alert())

    assert not any(b"AUTH" in line.upper() for line in server.heard)


# --- servers that fail ---


def test_nobody_there(channel):  # H1
    with mail_server() as server:
        pass

    with pytest.raises(DeliveryFailed, match=rf"127\.0\.0\.1:{server.port}: Connection refused") as caught:
        channel(server.port).send(an_alert())
    assert not caught.value.permanent


GREETED = ("220 hello", "250-me\r\n250 8BITMIME")


@pytest.mark.parametrize(
    ("lines", "ending", "said"),
    [
        pytest.param((), hangs, "did not answer in time", id="silent"),
        pytest.param(("220 hello",), hangs, "did not answer in time", id="silent after its greeting"),
        pytest.param(("220 hello",), drips, "did not answer in time", id="drips"),
        pytest.param(("220-hello",), babbles, "says more than any server has to", id="babbles"),
        pytest.param((), drops, "closed the connection", id="drops"),
        pytest.param(GREETED, drops, "closed the connection", id="drops after its greeting"),
        pytest.param(
            (*GREETED, "250 OK", "250 OK", "354 go on"),
            drops_after_the_mail,
            "closed the connection",
            id="takes, drops",
        ),
        pytest.param(("421 too busy",), hangs, "421 too busy", id="busy"),
        pytest.param((*GREETED, "250 OK", "250 OK", "354 go on"), hangs, "did not answer in time", id="slow to take"),
        pytest.param(("HTTP/1.1 400 Bad Request",), hangs, "HTTP|-1", id="another protocol"),
    ],
)
def test_a_server_that_fails_is_tried_again_and_holds_up_nobody(channel, lines, ending, said):  # H1
    # Only who waits for the time to be up is given little of it.
    timeout = "300ms" if "in time" in said else "20s"

    with scripted(*lines, ending=ending) as server, pytest.raises(DeliveryFailed, match=said) as caught:
        channel(server.port, timeout=timeout).send(an_alert())

    assert not caught.value.permanent


@pytest.mark.parametrize("step", ["mail", "rcpt", "data"])
@pytest.mark.parametrize(("reply", "permanent"), [("451 try later", False), ("550 no such user", True)])
def test_4xx_is_tried_again_and_5xx_is_not(channel, step, reply, permanent):  # H1
    with mail_server(**{step: reply}) as server, pytest.raises(DeliveryFailed, match=reply) as caught:
        channel(server.port).send(an_alert())

    assert caught.value.permanent is permanent


def test_the_addresses_of_a_server_share_the_time_of_one_delivery(channel, monkeypatch):  # H1
    times = []

    def swallowed(address, timeout):
        times.append(timeout)
        raise TimeoutError

    places = [(None, None, None, "", (f"192.0.2.{last}", 25)) for last in (1, 2, 3)]
    monkeypatch.setattr("rota.notifiers.smtp.socket.getaddrinfo", lambda *_, **__: places)
    monkeypatch.setattr("rota.notifiers.smtp.socket.create_connection", swallowed)

    with pytest.raises(DeliveryFailed, match="did not answer in time"):
        channel(25, timeout="30s").send(an_alert())

    # Not 30 s for each: after two minutes another process may deliver it too.
    assert [round(time) for time in times] == [10, 15, 30]


def test_a_login_that_is_refused_is_told_without_the_password(channel, authority):  # R65, H1
    with mail_server(certificate=authority.certificate("127.0.0.1"), login=("rota", "other")) as server:
        made = channel(server.port, user="rota", password="hush-hush", ca_file=str(authority.file))
        with pytest.raises(DeliveryFailed, match=r"the login of 'rota' was refused \(535\)") as caught:
            made.send(an_alert())

    assert caught.value.permanent
    assert "hush" not in str(caught.value)


def test_recipients_who_are_refused_keep_it_from_nobody_else(channel):  # H1
    with (
        mail_server(gone="550 no such user") as server,
        pytest.raises(DeliveryFailed, match=r"gone@example.org: 550 no such user.*; 2 of 3 have it") as caught,
    ):
        channel(server.port, to=["a@example.org", "gone@example.org", "b@example.org"]).send(an_alert())

    assert caught.value.permanent
    assert [mail.to for mail in server.mails] == [["a@example.org", "b@example.org"]]


def test_those_who_were_put_off_get_it_later_and_the_others_not_twice(channel):  # R50, H1
    alert = an_alert()

    with mail_server(busy="451 later", gone="550 no such user") as server:
        made = channel(server.port, to=["a@example.org", "busy@example.org", "gone@example.org"])
        with pytest.raises(DeliveryFailed) as first:
            made.send(alert)
        server.let(busy="", gone="")
        made.send(alert)

    assert not first.value.permanent
    assert [mail.to for mail in server.mails] == [["a@example.org"], ["busy@example.org", "gone@example.org"]]


def test_the_words_of_a_server_are_shown_harmless(channel):  # R65
    with (
        mail_server(rcpt="550 \x1b[31mred token=hush-hush-hush") as server,
        pytest.raises(DeliveryFailed) as caught,
    ):
        channel(server.port).send(an_alert())

    assert str(caught.value).isprintable()
    assert "hush" not in str(caught.value)


# --- how it is configured ---


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"to": []}, "needs to"),
        ({"to": ["nobody"]}, "'nobody' is no mail address"),
        ({"to": ["a@example.org\r\nBcc: b@example.org"]}, "is no mail address"),
        ({"to": ["a@example.org, b@example.org"]}, "is no mail address"),
        ({"to": ["Ops <a@example.org"]}, "is no mail address"),
        ({"to": [f"a{n}@example.org" for n in range(51)]}, "51 recipients"),
        ({"sender": "Rota"}, "'Rota' is no mail address"),
        ({"smtp": "mail.example.org"}, "it must be smtp://host:port"),
        ({"smtp": "smtp://mail.example.org:port"}, "it is no URL"),
        ({"smtp": "smtp://rota:hush@mail.example.org"}, "options of their own"),
        ({"smtp": "smtp://mail.example.org/x"}, "it must be smtp://host:port"),
        ({"user": "rota"}, "user and password go together"),
        ({"password": "hush"}, "user and password go together"),
        ({"user": "rota", "password": "hush", "insecure_plaintext": True}, "never sent in plain"),
        ({"prefix": "a\nb"}, "prefix"),
        ({"timeout": "0s"}, "timeout"),
    ],
)
def test_what_cannot_work_is_said_at_the_start(channel, options, said):  # R64
    with pytest.raises(ConfigurationError, match=said) as caught:
        channel(25, **options)

    assert "hush" not in str(caught.value)


def test_the_password_is_not_shown(channel):  # R65
    assert "hush" not in repr(channel(25, user="rota", password="hush")._options)
