"""T52: what looks like a secret is hidden, whoever's it is; what does not is left."""

import pytest

from rota.core.secret_shape import without_shapes

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c2VyIn0.c2lnbmF0dXJl"

SHOWN = {
    "postgresql://u:hunter2@h/db": "postgresql://u:***@h/db",
    "mysql+pymysql://root:hun@ter2@h": "mysql+pymysql://root:***@h",
    "redis://:hunter2@h/0": "redis://:***@h/0",
    "password=hunter2, host=h": "password=***, host=h",
    "PGPASSWORD=hunter2 psql -h h": "PGPASSWORD=*** psql -h h",
    "connect(password='hunter2', port=1)": "connect(password='***', port=1)",
    '{"db_password": "hun\\"ter2", "n": 1}': '{"db_password": "***", "n": 1}',
    "{'api-key': 'hunter2'}": "{'api-key': '***'}",
    '{"a": "{\\"token\\": \\"hun\\\\\\"ter2\\"}"}': '{"a": "{\\"token\\": \\"***\\"}"}',
    "aws_secret_access_key=wJalr/K7MDENG": "aws_secret_access_key=***",
    "AccountKey=aHVudGVyMg==;Endpoint=x": "AccountKey=***;Endpoint=x",
    "GET /x?key=hunter2&page=2": "GET /x?key=***&page=2",
    "GET /x?api_key=hunter2&page=2": "GET /x?api_key=***&page=2",
    "sent Bearer hunter2-hunter2": "sent Bearer ***",
    "sent Basic dTpodW50ZXIy": "sent Basic ***",
    "Authorization: hunter2": "Authorization: ***",
    '{"Authorization": "ApiKey hunter2"}': '{"Authorization": "***"}',
    "Set-Cookie: sid=hunter2; Secure": "Set-Cookie: ***",
    f"refused {JWT}.": "refused ***.",
    "-----BEGIN EC PRIVATE KEY-----\nMHcC\n-----END EC PRIVATE KEY-----\nx": (
        "-----BEGIN EC PRIVATE KEY-----***-----END EC PRIVATE KEY-----\nx"
    ),
    "-----BEGIN PRIVATE KEY-----\\nMHcC": "-----BEGIN PRIVATE KEY-----***",
    "key AKIAIOSFODNN7EXAMPLE": "key ***",
    "https://ghp_" + 36 * "a" + "@github.com": "https://***@github.com",
    "xoxb-1234567890-abcdefghij": "***",
}

LEFT = [
    "def login(user: str, password: str, token=None) -> None:",
    "no password given",
    "the token of run 17 is 3",
    "basic authentication is off",
    "https://example.com/a:b@c",
    "postgresql://u@h/db",
    "-----BEGIN CERTIFICATE-----\nMIID\n-----END CERTIFICATE-----",
    "token = next(tokens)",
    "ASIAN",
]


@pytest.mark.parametrize("text", SHOWN)
def test_what_looks_like_a_secret_is_hidden(text):  # T52
    assert without_shapes(text) == SHOWN[text]


@pytest.mark.parametrize("text", SHOWN)
def test_what_was_hidden_is_not_changed_again(text):
    assert without_shapes(SHOWN[text]) == SHOWN[text]


@pytest.mark.parametrize("text", LEFT)
def test_what_looks_like_none_is_left(text):
    assert without_shapes(text) == text
