"""The secrets that a process knows (R65)."""

import msgspec
import pytest

from rota import Rota, Secret, State, redaction
from rota.core.redaction import Redactor
from rota.errors import Stopped
from rota.redaction import (
    WITHHELD,
    Secrets,
    is_guessable,
    redacted,
    redacted_json,
    redacted_within,
    seam,
    secrets_of_url,
)
from rota.tenants.connection import parsed


def test_what_was_kept_is_hidden():
    secrets = Secrets()
    secrets.keep("hunter2-and-more", None, "")

    assert secrets.redactor.text("it is hunter2-and-more") == "it is ***"


def test_of_secrets_that_pass_by_the_newest_are_known():
    secrets = Secrets(most=10)
    secrets.keep("hunter2-and-more")
    for number in range(100):
        secrets.pass_by(f"passing-{number:03}")

    assert secrets.redactor.text("passing-099 passing-095") == "*** ***"
    assert secrets.redactor.text("passing-003") == "passing-003"
    assert secrets.redactor.text("hunter2-and-more") == "***"


def test_a_signal_to_stop_is_no_failure_of_the_search(
    monkeypatch,
):  # R42: it is for the job, whatever it logs just then
    def stopped(_self: Redactor, *_texts: str) -> str:
        raise Stopped("out of time")

    monkeypatch.setattr(Redactor, "text", stopped)
    monkeypatch.setattr(Redactor, "seam", stopped)

    with pytest.raises(Stopped):
        redacted("hunter2-and-more")
    with pytest.raises(Stopped):
        seam("hunter2", "and-more")


def test_text_is_not_shown_when_the_search_for_secrets_fails(monkeypatch):  # T53: rather nothing than a secret
    def broken(_self: Redactor, _text: str) -> str:
        raise RecursionError

    monkeypatch.setattr(Redactor, "text", broken)

    assert redacted("hunter2-and-more") == WITHHELD


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("postgresql://u:hunter2@h/db", ["hunter2"]),
        ("postgresql://u:hun%40ter2@h/db", ["hun%40ter2", "hun@ter2"]),
        ("mysql://u:hun@ter2@h/db", ["hun@ter2"]),
        ("mysql://u:hun/ter2@h/db", ["hun/ter2"]),
        ("postgresql://h/db?user=u&password=hunter2", ["hunter2"]),
        ("postgresql://u@h/db", []),
        ("sqlite:///rota.db", []),
        ("http://[::1", []),
        ("rota.db", []),
    ],
)
def test_the_passwords_of_a_url(url, found):  # T52
    assert secrets_of_url(url) == found


@pytest.mark.parametrize("text", ["customer", "2026-11-29", "2026-11-29T10:00:00Z", "12345678", "true", "", "a1b2"])
def test_words_and_numbers_are_no_secrets_by_their_name_alone(text):
    assert is_guessable(text)


@pytest.mark.parametrize("text", ["hunter2", "correct-horse", "tok_live_17", "Zx8!aaaa"])
def test_what_nobody_guesses_is_one(text):
    assert not is_guessable(text)


def test_there_is_one_set_of_secrets_for_a_process(monkeypatch):
    monkeypatch.setattr(redaction, "SECRETS", Secrets())
    redaction.SECRETS.keep_url("postgresql://u:hunter2-and-more@h/db")

    assert redacted("authentication failed: hunter2-and-more") == "authentication failed: ***"


def test_the_arguments_of_a_run_that_are_secret_are_known_when_it_begins():  # T51
    rota = Rota(inline=True)

    @rota.job()
    def pay(card: Secret[str], options: dict[str, object], key: str) -> None:
        assert redacted(f"{card} {key}") == "*** customer"

    run = pay.enqueue(card="4929-1234-5678", options={"deep": [{"api_token": "tok-51d2b7"}]}, key="customer")

    assert run.status is State.SUCCEEDED
    assert redacted("4929-1234-5678 tok-51d2b7 customer") == "*** *** customer"


def test_the_password_of_a_tenant_is_known_once_its_url_is_read():  # T52
    parsed("mysql://shop:hunter2-and-more@db/shop")

    assert redacted("denied: hunter2-and-more") == "denied: ***"


def test_an_answer_is_searched_as_each_of_its_texts_is(monkeypatch):  # R65
    known = Secrets()
    known.keep("hunter2-and-more", 'one "in quotes"')
    monkeypatch.setattr(redaction, "SECRETS", known)
    texts = ["nothing", "hunter2-and-more", 'one "in quotes"', "password=x", "Bearer abcdefgh12", "a\nline", "Σ İ ×"]

    for answer in [*texts, texts, {"error": texts[1]}, {texts[1]: 1}, [{"deep": [one]} for one in texts]]:
        assert redacted_json(answer) == msgspec.json.encode(redacted_within(answer))
    assert b"hunter2" not in redacted_json(texts)
