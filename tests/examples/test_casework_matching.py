"""What the casework example makes of e-mails: what is in them, and to which case they belong."""

from datetime import UTC, datetime

import pytest

from examples.casework.mail.letter import read
from examples.casework.mail.matching import Match, MatchedBy, Register, Unfiled, match

ANA, BOB, EVE = 1, 2, 3
FENCE, ROOF, DRAIN = 10, 20, 30
REGISTER = Register(
    cases={"C-2026-0010": FENCE, "C-2026-0020": ROOF, "C-2026-0030": DRAIN},
    contacts={"ana@example.org": ANA, "bob@example.org": BOB, "eve@example.org": EVE},
    open_cases={ANA: [FENCE], BOB: [ROOF, DRAIN], EVE: []},
    filed={"<first@fence>": FENCE},
)
STRANGER = "somebody@example.net"


@pytest.mark.parametrize(
    ("message", "case_id", "contact_id", "by"),
    [
        ({"subject": "Re: C-2026-0020, the roof"}, ROOF, None, MatchedBy.REFERENCE),
        ({"subject": "[c-2026-0020]"}, ROOF, None, MatchedBy.REFERENCE),
        ({"subject": "C-2026-0020", "addresses": ["ana@example.org"]}, ROOF, ANA, MatchedBy.REFERENCE),
        ({"subject": "C-2026-0020", "references": ["<first@fence>"]}, ROOF, None, MatchedBy.REFERENCE),
        ({"subject": "C-2026-9999 and C-2026-0020"}, ROOF, None, MatchedBy.REFERENCE),
        ({"references": ["<unknown@x>", "<first@fence>"]}, FENCE, None, MatchedBy.THREAD),
        ({"references": ["<first@fence>"], "addresses": ["bob@example.org"]}, FENCE, BOB, MatchedBy.THREAD),
        ({"addresses": ["ana@example.org"]}, FENCE, ANA, MatchedBy.ADDRESS),
        ({"addresses": [STRANGER, "ana@example.org"]}, FENCE, ANA, MatchedBy.ADDRESS),
        ({"addresses": ["bob@example.org"]}, None, BOB, MatchedBy.CONTACT),
        ({"addresses": ["eve@example.org"]}, None, EVE, MatchedBy.CONTACT),
        ({"addresses": ["ana@example.org", "bob@example.org"]}, None, ANA, MatchedBy.CONTACT),
    ],
)
def test_a_message_belongs_where_the_surest_sign_says(message, case_id, contact_id, by):
    assert match([Unfiled(id=1, **message)], REGISTER) == {1: Match(by=by, case_id=case_id, contact_id=contact_id)}


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"subject": "C-2026-9999"},
        {"subject": "XC-2026-0020"},
        {"subject": "C-2026-00201"},
        {"references": ["<unknown@x>"]},
        {"addresses": [STRANGER]},
    ],
)
def test_what_tells_nothing_belongs_nowhere(message):
    assert match([Unfiled(id=1, **message)], REGISTER) == {}


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1)])
def test_answers_go_where_the_first_went_in_whatever_order_they_came(order):
    thread = {
        1: Unfiled(id=1, message_id="<1@x>", subject="C-2026-0030"),
        2: Unfiled(id=2, message_id="<2@x>", references=["<1@x>"]),
        # By its address alone it would be about the fence.
        3: Unfiled(id=3, message_id="<3@x>", references=["<2@x>"], addresses=["ana@example.org"]),
    }

    found = match([thread[number] for number in order], REGISTER)

    assert {number: where.case_id for number, where in found.items()} == {1: DRAIN, 2: DRAIN, 3: DRAIN}


def test_an_answer_follows_a_message_that_its_address_filed():
    first = Unfiled(id=1, message_id="<1@x>", addresses=["ana@example.org"])
    answer = Unfiled(id=2, message_id="<2@x>", references=["<1@x>"], addresses=[STRANGER])

    assert match([answer, first], REGISTER)[2] == Match(by=MatchedBy.THREAD, case_id=FENCE)


def a_mail(*, body=b"Good morning", **headers):
    lines = [f"{name.replace('_', '-')}: {value}".encode() for name, value in headers.items()]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def test_what_is_kept_of_a_mail():
    letter = read(
        a_mail(
            Message_ID="<7@example.org>",
            References="<1@x> <2@x>",
            In_Reply_To="<3@x>",
            From='"Doe, Ana" <Ana@Example.ORG>',
            To="=?utf-8?q?M=C3=BCller=2C_Bob?= <bob@example.org>, ana@example.org",
            Subject="=?utf-8?q?Z=C3=A4une?= on\r\n the hill",
            Date="Mon, 5 Jan 2026 13:00:00 +0100",
        )
    )

    assert (letter.message_id, letter.references) == ("<7@example.org>", ["<1@x>", "<2@x>", "<3@x>"])
    assert letter.addresses == ["ana@example.org", "bob@example.org"]
    assert (letter.subject, letter.body) == ("Zäune on the hill", "Good morning")
    assert letter.sent_at == datetime(2026, 1, 5, 12, tzinfo=UTC)


MULTIPART = "multipart/mixed; boundary=X"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\xff\xfe no headers at all \xe9",
        b"\r\n\r\n",
        a_mail(Subject="=?no-such-charset?q?=FF?=", From="<<>", Date="the day before yesterday"),
        a_mail(Subject="=?utf-8?b?!?=", To="a@b, , <", Date="Mon, 99 Jan 99999 99:99:99 +9999"),
        a_mail(Content_Type="text/plain; charset=nonsense", body=b"\xff\x00\xfe"),
        a_mail(Content_Type='text/plain; charset="utf-8', Content_Transfer_Encoding="base64", body=b"%%%"),
        a_mail(Content_Type=MULTIPART, body=b"--X\r\nContent-Type: text/plain"),
        a_mail(Content_Type="multipart/mixed", body=b"no boundary"),
        a_mail(Content_Type="message/rfc822", body=b"\xff\xff"),
        b"Subject: \xff\xfe\x00raw bytes\r\nFrom: \xe9@\xe9\r\nMessage-ID: " + b"x" * 5000 + b"\r\n\r\n",
    ],
)
def test_a_broken_mail_is_read_as_far_as_it_can_be(raw):
    letter = read(raw)

    assert "\0" not in letter.subject + letter.body
    # What a database takes: no half characters.
    "".join([letter.subject, letter.body, letter.message_id, *letter.addresses, *letter.references]).encode()


def test_the_same_mail_by_two_ways_is_one_and_two_mails_of_one_id_are_two():
    mail = a_mail(Message_ID="<1@x>", Subject="Hello")

    assert read(b"Received: by one\r\n" + mail).fingerprint == read(b"Received: by other\r\n" + mail).fingerprint
    assert read(mail).fingerprint != read(mail + b", again").fingerprint
