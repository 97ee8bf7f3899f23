"""Key sets of identity providers: what is taken from them, and when they are asked for (R62, T45)."""

import json
from datetime import timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from rota.access import jwks
from rota.access.jwks import RemoteKeys, keys_of
from rota.access.key_files import KeySetFile
from rota.access.keys import Algorithm, Key
from rota.access.tokens import Tokens, sign
from rota.believing import Believed
from rota.core.claims import Expected, Untrusted
from rota.errors import ConfigurationError, NotReached
from rota.reach import Answer, Terms
from rota.settings import AuthSettings
from tests.access.test_tokens import NOW, b64, claims, pem
from tests.clocks import FakeClock

URL = "https://id.example.org/keys"
EVERY = timedelta(minutes=15)


@pytest.fixture(scope="module")
def pairs():
    return {
        Algorithm.RS256: rsa.generate_private_key(public_exponent=65537, key_size=2048),
        Algorithm.ES256: ec.generate_private_key(ec.SECP256R1()),
        Algorithm.EDDSA: ed25519.Ed25519PrivateKey.generate(),
    }


def jwk(private, algorithm, **changes):
    kind = jwt.algorithms.get_default_algorithms()[algorithm.value]
    made = kind.to_jwk(private.public_key(), as_dict=True) | {"kid": algorithm.value, "use": "sig"} | changes
    return {name: value for name, value in made.items() if value is not None}


def key_set(*keys):
    return json.dumps({"keys": list(keys)}).encode()


def signed(pairs, algorithm, key_id=None):
    return sign(claims(), Key(algorithm=algorithm, material=pem(pairs[algorithm]), id=key_id or algorithm.value))


class Provider:
    """An identity provider: answers, and counts how often it was asked."""

    def __init__(self, monkeypatch):
        self.content = key_set()
        self.status = 200
        self.asked = 0
        self.is_away = False
        monkeypatch.setattr(jwks, "ask", self._ask)

    def _ask(self, method, url, **_):
        assert (method, url) == ("GET", URL)
        self.asked += 1
        if self.is_away:
            raise NotReached("id.example.org does not answer")
        return Answer(status=self.status, headers={}, body=self.content, is_whole=True)


@pytest.fixture
def provider(monkeypatch):
    return Provider(monkeypatch)


def remote():
    return RemoteKeys(URL, every=EVERY, terms=Terms(), clock=FakeClock())


@pytest.mark.parametrize("algorithm", [Algorithm.RS256, Algorithm.ES256, Algorithm.EDDSA])
def test_a_key_of_a_set_is_for_one_algorithm(pairs, algorithm, tmp_path):  # R62, J10
    (tmp_path / "keys").write_bytes(key_set(*(jwk(pairs[one], one) for one in pairs)))
    tokens = Tokens(KeySetFile(tmp_path / "keys"), expected=Expected(audience="rota"))
    others = [one for one in pairs if one is not algorithm]

    assert tokens.verify(signed(pairs, algorithm), now=NOW).subject == "ana"
    for other in others:
        with pytest.raises(Untrusted):
            tokens.verify(signed(pairs, other, key_id=algorithm.value), now=NOW)


def test_what_is_no_public_key_for_tokens_is_passed_over(pairs):  # J2, J10
    rs = Algorithm.RS256
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    given = [
        {"kty": "oct", "k": b64(b"x" * 40), "kid": "shared"},
        jwk(pairs[rs], rs, kid="enc", use="enc"),
        jwk(pairs[rs], rs, kid="ps", alg="PS256"),
        jwk(pairs[rs], rs, kid="hs", alg="HS256"),
        jwk(pairs[Algorithm.ES256], Algorithm.ES256, kid="curve", crv="P-384"),
        jwk(pairs[rs], rs, kid="broken", n="!!"),
        jwk(pairs[rs], rs, kid=["list"]),
        jwk(small, rs, kid="small"),
        "no key",
        None,
        jwk(pairs[rs], rs, kid="good"),
    ]

    assert set(keys_of(key_set(*given))) == {"good"}


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"keys": {}}', b'{"keys": null}', b"\xff", b"[" * 100_000])
def test_what_is_no_key_set_is_refused(content, tmp_path):  # R64
    with pytest.raises(ValueError, match="it"):
        keys_of(content)
    (tmp_path / "keys").write_bytes(content)
    with pytest.raises(ConfigurationError, match="no key set"):
        KeySetFile(tmp_path / "keys")


def test_a_set_with_keys_without_end_is_refused():  # J14
    with pytest.raises(ValueError, match="1000"):
        keys_of(key_set(*[{"kty": "RSA"}] * 1000))


def test_a_provider_is_asked_seldom(provider, pairs):
    keys, rs = remote(), Algorithm.RS256
    provider.content = key_set(jwk(pairs[rs], rs))

    for second in range(3600):
        keys.fetch_due(NOW + timedelta(seconds=second))

    assert provider.asked == 4
    assert keys.find("RS256") is not None


def test_an_unknown_key_is_asked_for_once_a_minute_at_most(provider):
    keys = remote()
    keys.fetch_due(NOW)

    for second in range(600):
        keys.fetch_again(NOW + timedelta(seconds=second))

    assert provider.asked == 10


def test_a_provider_that_is_away_is_not_an_outage_for_a_day(provider, pairs, caplog):
    keys, rs = remote(), Algorithm.RS256
    provider.content = key_set(jwk(pairs[rs], rs))
    keys.fetch_due(NOW)

    provider.is_away = True
    keys.fetch_due(NOW + timedelta(hours=23))
    assert keys.find("RS256") is not None
    keys.fetch_due(NOW + timedelta(hours=24))

    assert keys.find("RS256") is None
    assert "id.example.org does not answer" in caplog.text


@pytest.mark.parametrize(("status", "content"), [(500, key_set()), (302, b""), (200, b"<html>")])
def test_an_answer_that_is_none_changes_nothing(provider, pairs, status, content):
    keys, rs = remote(), Algorithm.RS256
    provider.content = key_set(jwk(pairs[rs], rs))
    keys.fetch_due(NOW)

    provider.status, provider.content = status, content
    keys.fetch_due(NOW + EVERY)

    assert keys.find("RS256") is not None


@pytest.mark.parametrize(
    "url",
    [
        "http://id.example.org/keys", "https://127.0.0.1/keys", "https://169.254.169.254/latest", "https://[::1]/keys",
        "https://user:pw@id.example.org/keys", "ftp://id.example.org/keys", "https://2130706433/keys", "gopher://id.example.org/",
    ],
)  # fmt: skip
def test_a_set_does_not_come_from_inside_or_in_the_open(url):  # T45
    with pytest.raises(ConfigurationError, match=r"auth\.jwks") as refused:
        Believed(AuthSettings(jwks=url), clock=FakeClock())

    # A key set has no such way out, as a webhook has.
    assert "insecure_http" not in str(refused.value)


def test_a_name_that_leads_inside_is_not_followed(caplog):  # T45
    keys = RemoteKeys(
        URL, every=EVERY, terms=Terms(), clock=FakeClock(), resolve=lambda _host, _port: ["169.254.169.254"]
    )

    keys.fetch_due(NOW)

    assert not keys.is_known
    assert "link-local" in caplog.text


def test_a_set_in_a_file_is_read_again(pairs, tmp_path):  # T18
    rs, es, file = Algorithm.RS256, Algorithm.ES256, tmp_path / "keys"
    file.write_bytes(key_set(jwk(pairs[rs], rs)))
    keys = KeySetFile(file)

    file.write_bytes(key_set(jwk(pairs[es], es)))
    assert keys.find("RS256") is None and keys.find("ES256") is not None
    file.write_bytes(b"broken")
    assert keys.find("ES256") is None
