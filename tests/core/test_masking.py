"""Arguments are shown without what their names say is secret (R65)."""

import json

import pytest

from rota.core.masking import HIDDEN, Mask


@pytest.mark.parametrize(
    "name",
    [
        "password", "Password", "db_password", "dbPassword", "PASSWORD_HASH", "new-password", "passwd", "pwd",
        "secret", "client_secret", "token", "accessToken", "X-Auth-Token", "api_key", "apiKey", "APIKEY", "key",
        "private_key", "signing_key", "credentials", "Authorization", "auth", "cookie", "Set-Cookie", "session",
        "signature", "salt", "pin", "card_number", "iban", "cvv",
    ],
)  # fmt: skip
def test_a_secret_is_known_by_its_name_however_it_is_written(name):  # R65
    assert Mask().hides(name)


@pytest.mark.parametrize(
    "name",
    ["user_id", "monkey", "keyboard", "turkey", "author", "authored_by", "salted", "spinning", "opinion", "sessions",
     "name", "year", "path", "0", ""],
)  # fmt: skip
def test_a_harmless_name_is_not_taken_for_one(name):
    assert not Mask().hides(name)


def test_an_application_adds_names_of_its_own():  # R65
    mask = Mask(["customer_number"])

    assert mask.hides("CustomerNumber") and mask.hides("customer-number") and mask.hides("password")
    assert not mask.hides("customer")


def test_values_are_hidden_at_any_depth_and_the_rest_stays_as_it_is():  # R65
    text = json.dumps(
        {
            "args": ["a", {"token": "t0p"}],
            "kwargs": {
                "user_id": 7,
                "smtp": {"host": "mail", "password": "t0p"},
                "logins": [{"secret": ["t0p", "t0p"]}, {"secret": {"deep": "t0p"}}],
                "api_key": None,
                "name": "Zoë",
            },
        }
    )

    shown = Mask().json(text)

    assert "t0p" not in shown
    assert json.loads(shown) == {
        "args": ["a", {"token": HIDDEN}],
        "kwargs": {
            "user_id": 7,
            "smtp": {"host": "mail", "password": HIDDEN},
            "logins": [{"secret": HIDDEN}, {"secret": HIDDEN}],
            # That there is none is no secret.
            "api_key": None,
            "name": "Zoë",
        },
    }


@pytest.mark.parametrize("text", ['{"args":[],"kwargs":{"year":2026}}', "5", '"text"', "null"])
def test_what_holds_no_secret_is_shown_to_the_letter(text):
    assert Mask().json(text) == text


def test_what_cannot_be_looked_into_is_hidden_whole():  # R65
    assert Mask().json("password=t0p") == HIDDEN


@pytest.mark.parametrize(("path", "is_hidden"), [("user.password", True), ("token.id", True), ("user.id", False)])
def test_a_path_is_hidden_where_a_step_of_it_is(path, is_hidden):  # R65
    assert Mask().hides_path(path) is is_hidden
