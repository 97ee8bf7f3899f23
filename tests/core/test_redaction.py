"""T53: what is registered as a secret is found in whatever form it is written, and nothing that is not."""

import html
import json
import string
import time
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.core.redaction import COMMON, LEAST, PrivateKeys, Redactor
from rota.core.safe import safe_text
from rota.core.transcript import HEAD, TAIL

SECRET = 'Tr0ub4dor&3/"ü\\x'

WRITTEN = {
    "plain": lambda secret: secret,
    "json": lambda secret: json.dumps(secret),
    "json in unicode": lambda secret: json.dumps(secret, ensure_ascii=False),
    "json in json": lambda secret: json.dumps({"inner": json.dumps({"deep": json.dumps([secret])})}),
    "percent": lambda secret: quote(secret, safe=""),
    "percent in a path": quote,
    "query": quote_plus,
    "lower percent": lambda secret: quote(secret, safe="").lower() if secret == secret.lower() else quote(secret),
    "hex": lambda secret: secret.encode().hex(),
    "upper hex": lambda secret: secret.encode().hex().upper(),
    "base64": lambda secret: b64encode(secret.encode()).decode(),
    "basic auth": lambda secret: b64encode(b"rota:" + secret.encode()).decode(),
    "base64 behind one more": lambda secret: urlsafe_b64encode(b"user::" + secret.encode() + b"@host").decode(),
    "html": html.escape,
    "repr": repr,
    "bytes": lambda secret: repr(secret.encode()),
    "escaped": safe_text,
}


def is_a_secret(text):
    return len(text.strip()) >= 8 and text.lower() not in COMMON


secrets = st.text(st.characters(codec="utf-8"), min_size=8, max_size=40).filter(is_a_secret)
words = st.text(string.ascii_letters + string.digits + " \n=:/@{}\"'\\", max_size=60)


@pytest.mark.parametrize("form", WRITTEN)
@given(secret=secrets, before=words, behind=words)
def test_a_secret_is_found_in_every_form_it_may_be_written_in(form, secret, before, behind):  # T53
    written = WRITTEN[form](secret)

    shown = Redactor([secret]).text(f"{before} {written} {behind}")

    assert core_of(form, written) not in shown


def core_of(form: str, written: str) -> str:
    """What of a form says the secret: the digits at the ends of base64 hold bits of its neighbours too."""
    return written.rstrip("=")[4 + 8 * (":" in form or "behind" in form) : -4] if "base64" in form else written


@given(secret=secrets, cuts=st.lists(st.integers(1, 12), max_size=12))
def test_a_secret_that_comes_in_pieces_is_found_in_the_whole(secret, cuts):  # T53
    redactor, text, pieces = Redactor([secret]), f"a {secret} b", []
    for cut in cuts:
        pieces.append(text[:cut])
        text = text[cut:]

    assert secret not in redactor.text("".join([*pieces, text]))


@given(secret=secrets.filter(lambda one: one.isprintable()), at=st.integers(1, 39))
def test_of_a_secret_that_is_cut_in_two_neither_half_is_kept(secret, at):  # T53
    at = min(at, len(secret) - 1)

    head, tail = Redactor([secret]).seam(f"x {secret[:at]}", f"{secret[at:]} y")

    assert not (at > 2 and head.endswith(secret[:at]))
    assert not (len(secret) - at > 2 and tail.startswith(secret[at:]))


@pytest.mark.parametrize(
    ("head", "tail"), [("postgresql://u:hun", "ter2@h x"), ("PASSWORD=hun", "ter2 x"), ("eyJhbGciOi", "ter2 x")]
)
def test_of_what_looks_like_a_secret_neither_half_is_kept(head, tail):  # T53
    cut = "".join(Redactor().seam(head, tail))

    assert "hun" not in cut
    assert "ter2" not in cut


@given(st.lists(secrets, min_size=1, max_size=5), words)
def test_what_holds_no_secret_stays_as_it_is(known, text):
    redactor = Redactor(known)

    if not redactor.knows(text):
        assert redactor.text(f"plain {text.replace('=', '').replace(':', '')}").startswith("plain ")
    assert redactor.text("the run ended well, 17 rows") == "the run ended well, 17 rows"


@given(st.lists(secrets, min_size=1, max_size=5), words)
def test_what_was_redacted_is_not_changed_again(known, text):
    redactor = Redactor(known)
    once = redactor.text(f"{text}{known[0]}{text}")

    assert redactor.text(once) == once


def test_secrets_that_overlap_are_both_hidden():
    assert Redactor(["abcdef123", "123xyz789"]).text("<abcdef123xyz789>") == "<***>"


def test_the_longer_of_two_that_begin_alike_is_hidden_whole():
    assert Redactor(["hunter2x", "hunter2x-and-more"]).text("hunter2x-and-more") == "***"


def test_a_secret_of_many_lines_is_hidden_line_by_line_too():
    key = "-----x-----\nMIIEvQIBADANBgkqhkiG\nAASCBKcwggSjAgEAAoIB\n-----y-----"

    assert Redactor([key]).text("now MIIEvQIBADANBgkqhkiG !") == "now *** !"


def test_what_is_too_short_for_a_secret_is_no_needle():
    # `rota` as a password would blank every line that Rota writes.
    assert Redactor(["x" * (LEAST - 1)]).text("x" * LEAST) == "x" * LEAST


def test_the_lines_of_a_private_key_are_hidden_though_they_come_one_by_one():  # T52
    lines = PrivateKeys()
    said = [
        "a",
        "-----BEGIN RSA PRIVATE KEY-----",
        "MIIEvQIBADAN",
        "BgkqhkiG9w0B",
        "-----END RSA PRIVATE KEY-----",
        "b",
    ]

    shown = [lines.hide(one) for one in said]

    assert shown == ["a", "-----BEGIN RSA PRIVATE KEY-----***", "***", "***", "***", "b"]


def test_a_key_that_does_not_end_hides_not_all_that_follows():
    lines = PrivateKeys()
    lines.hide("-----BEGIN PRIVATE KEY-----")

    shown = [lines.hide("x") for _ in range(300)]

    assert shown[0] == "***"
    assert shown[-1] == "x"


def test_a_secret_is_not_left_at_the_ends_of_a_line_that_is_cut():
    # Both ends of the longest line that is kept, as `Transcript` cuts it.
    head, tail = "x" * (HEAD - 5) + "hunte", "r2-and-more" + "y" * (TAIL - 11)

    cut = Redactor(["hunter2-and-more"]).seam(head, tail)

    assert cut == ("x" * (HEAD - 5) + "***", "***" + "y" * (TAIL - 11))


def test_a_password_that_everybody_knows_is_no_needle():
    assert Redactor(["postgres"]).text("cannot open postgresql://u:postgres@h") == "cannot open postgresql://u:***@h"


LONG = 10_000_000

NASTY = {
    "words": "the run of send_mail for acme ended well, it took 17 s and 4 rows; " * (LONG // 66),
    "one word": "a" * LONG,
    "urls without end": "a://b:" * (LONG // 6),
    "a url whose password never ends": "a://b:" + "z" * LONG,
    "names of secrets": "password_" * (LONG // 9),
    "quotes that never close": 'password="' * (LONG // 10),
    "backslashes": "password" + "\\" * LONG,
    "tokens that never end": "eyJaaaaaaaaa." * (LONG // 13),
    "keys that never end": "-----BEGIN PRIVATE KEY-----" * (LONG // 27),
    "half of a secret": "hunter2-and-" * (LONG // 12),
}


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_time_grows_with_the_length_of_the_text_and_no_faster(text):  # T53: no catastrophic expression
    redactor = Redactor([f"hunter2-and-more-{number}" for number in range(1000)])

    # Four times the text may take eight times as long, on a busy machine, not sixteen.
    assert took(redactor, text[: LONG // 10]) < 8 * took(redactor, text[: LONG // 40]) + 0.1


def test_ten_megabytes_take_less_than_a_second():  # T53
    redactor = Redactor([f"hunter2-and-more-{number}" for number in range(1000)])

    assert min(took(redactor, NASTY["words"]) for _ in range(3)) < 1


def took(redactor: Redactor, text: str) -> float:
    """Processor time in seconds: others use the machine as well."""
    began = time.process_time()
    redactor.text(text)
    return time.process_time() - began
