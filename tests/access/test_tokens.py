"""Tokens: the vectors of the rules of tokens, J1 to J19, each made by hand where no library would make it."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from rota.access.keys import Algorithm, Key, KeyRing
from rota.access.tokens import Tokens, sign
from rota.core.access import Capability, Principal
from rota.core.claims import Expected, Untrusted
from rota.errors import ConfigurationError

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
SECRET = b"0123456789abcdef0123456789abcdefXYZ"
HMAC_KEY = Key(algorithm=Algorithm.HS256, material=SECRET)


def claims(**changes):
    """A good payload, with changes; None takes a claim away."""
    payload = {
        "sub": "ana",
        "aud": "rota",
        "iat": int(NOW.timestamp()),
        "exp": int((NOW + timedelta(minutes=10)).timestamp()),
        "scope": "read trigger",
    } | changes
    return {name: value for name, value in payload.items() if value is not None}


def b64(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def by_hand(payload, *, header=None, secret=SECRET, signature=None):
    """Sign as HS256 whatever is given: objects, or texts that are no JSON."""
    parts = [
        b64(part.encode() if isinstance(part, str) else json.dumps(part).encode())
        for part in (header or {"alg": "HS256", "typ": "JWT"}, payload)
    ]
    signed = ".".join(parts)
    if signature is None:
        signature = b64(hmac.new(secret, signed.encode(), hashlib.sha256).digest())
    return f"{signed}.{signature}"


def verifier(*keys, **expected):
    return Tokens(KeyRing(keys or [HMAC_KEY]), expected=Expected(audience="rota", **expected))


def verify(token, *keys, now=NOW, **expected):
    return verifier(*keys, **expected).verify(token, now=now)


def is_refused(token, *keys, now=NOW, **expected):
    with pytest.raises(Untrusted):
        verify(token, *keys, now=now, **expected)
    return True


def pem(private):
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_pem(private):
    return private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


@pytest.fixture(scope="module")
def pairs():
    """A pair of keys of each algorithm that has two."""
    return {
        Algorithm.RS256: rsa.generate_private_key(public_exponent=65537, key_size=2048),
        Algorithm.ES256: ec.generate_private_key(ec.SECP256R1()),
        Algorithm.EDDSA: ed25519.Ed25519PrivateKey.generate(),
    }


def test_a_good_token_says_who_asks_and_what_is_allowed():  # R62
    token = by_hand(claims(jobs=["mail_*"], tenants=["acme"], jti="7"))

    assert verify(token) == Principal(
        subject="ana",
        capabilities=frozenset({Capability.READ, Capability.TRIGGER}),
        jobs=("mail_*",),
        tenants=frozenset({"acme"}),
        token_id="7",
    )


@pytest.mark.parametrize("algorithm", [Algorithm.RS256, Algorithm.ES256, Algorithm.EDDSA])
def test_a_token_is_signed_by_one_who_holds_the_private_key(pairs, algorithm):  # R62
    token = sign(claims(), Key(algorithm=algorithm, material=pem(pairs[algorithm]), id="k1"))
    public = Key(algorithm=algorithm, material=public_pem(pairs[algorithm]), id="k1")

    assert verify(token, public).subject == "ana"
    assert is_refused(token[:-6] + "AAAAAA", public)


def test_two_keys_are_believed_while_one_takes_the_place_of_the_other():  # R62
    old, new = (Key(algorithm=Algorithm.HS256, material=SECRET + name.encode(), id=name) for name in ("old", "new"))

    assert verify(sign(claims(), old), old, new).subject == "ana"
    assert verify(sign(claims(), new), old, new).subject == "ana"
    assert is_refused(sign(claims(), old), new)


@pytest.mark.parametrize("alg", ["none", "None", "nOnE", "NONE", "", None, ["HS256"], 1])
def test_a_token_that_nobody_signed(alg):  # J1
    for signature in ("", None):
        assert is_refused(by_hand(claims(), header={"alg": alg}, signature=signature))


def test_a_public_key_is_no_secret(pairs):  # J2
    public = public_pem(pairs[Algorithm.RS256])

    assert is_refused(by_hand(claims(), secret=public), Key(algorithm=Algorithm.RS256, material=public))


@pytest.mark.parametrize("claim", ["exp", "iat", "sub", "aud"])
def test_a_claim_that_has_to_be_there(claim):  # J3, J6
    assert is_refused(by_hand(claims(**{claim: None})))


def test_an_expired_token_lives_for_the_leeway_and_no_longer():  # J4
    token = by_hand(claims())
    ends = NOW + timedelta(minutes=10)

    assert verify(token, now=ends + timedelta(seconds=29)).subject == "ana"
    assert is_refused(token, now=ends + timedelta(seconds=31))


@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", ["1796000000", True, False, [], {}, -1, 1e300, "NaN", ""])
def test_a_time_that_is_none(claim, value):  # J4
    assert is_refused(by_hand(claims(**{claim: value})))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_a_time_that_is_no_number(number):  # J4
    payload = json.dumps(claims()).replace(str(claims()["exp"]), number)

    assert is_refused(by_hand(payload))


def test_a_token_that_lives_too_long():  # J5
    issued = claims()["iat"]

    assert verify(by_hand(claims(exp=issued + 3600))).subject == "ana"
    assert is_refused(by_hand(claims(exp=issued + 3601)))
    assert is_refused(by_hand(claims(exp=issued + 31 * 365 * 86400)))
    assert is_refused(by_hand(claims(exp=issued)))


@pytest.mark.parametrize("audience", ["rota", ["other", "rota"]])
def test_a_token_for_us_among_others(audience):  # J7
    assert verify(by_hand(claims(aud=audience))).subject == "ana"


@pytest.mark.parametrize("audience", ["other", "rot", "rota2", "ROTA", "", [], ["other"], [["rota"]], {"rota": 1}, 7])
def test_a_token_for_somebody_else(audience):  # J7
    assert is_refused(by_hand(claims(aud=audience)))


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_a_token_of_the_future(claim):  # J8
    start = int(NOW.timestamp())
    later = {"exp": start + 600}

    assert verify(by_hand(claims(**{claim: start + 30}, **later))).subject == "ana"
    assert is_refused(by_hand(claims(**{claim: start + 31}, **later)))


@pytest.mark.parametrize("header", [{"crit": ["x"]}, {"crit": []}, {"b64": False, "crit": ["b64"]}, {"b64": False}])
def test_an_extension_that_is_not_understood(header):  # J9
    assert is_refused(by_hand(claims(), header={"alg": "HS256"} | header))


def test_a_key_has_one_algorithm(pairs):  # J10
    elliptic = Key(algorithm=Algorithm.ES256, material=public_pem(pairs[Algorithm.ES256]), id="e")
    shared = Key(algorithm=Algorithm.HS256, material=SECRET, id="h")

    assert is_refused(by_hand(claims(), header={"alg": "HS256", "kid": "e"}), elliptic, shared)
    assert is_refused(by_hand(claims(), header={"alg": "ES256", "kid": "h"}), elliptic, shared)
    assert is_refused(by_hand(claims(), header={"alg": "HS384", "kid": "h"}), elliptic, shared)


@pytest.mark.parametrize(
    "key_id", ["../../dev/null", "' OR 1=1 --", "https://evil.example/key", "x" * 7000, None, ["a"], {"a": 1}, 1]
)
def test_a_key_id_is_looked_up_and_nothing_else(key_id):  # J11
    assert is_refused(by_hand(claims(), header={"alg": "HS256", "kid": key_id}))
    assert is_refused(by_hand(claims()), Key(algorithm=Algorithm.HS256, material=SECRET, id="only"))


@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c"])
def test_a_key_that_a_token_brings_along_is_not_looked_at(name, pairs):  # J12
    mine = b"the attacker's own secret, long enough"
    brought = {"kty": "oct", "k": b64(mine)} if name == "jwk" else "https://127.0.0.1:9/keys"

    assert is_refused(by_hand(claims(), header={"alg": "HS256", name: brought}, secret=mine))
    assert verify(by_hand(claims(), header={"alg": "HS256", name: brought})).subject == "ana"


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token + "=",
        lambda token: token + " ",
        lambda token: " " + token,
        lambda token: token + "\n",
        lambda token: token + ".x",
        lambda token: token.replace(".", ". ", 1),
        lambda token: token.rpartition(".")[0],
        lambda token: token.rpartition(".")[0] + ".",
        lambda token: "",
        lambda token: "..",
        lambda token: "٣" + token[1:],
        lambda token: token.replace(".", ".é", 1),
        lambda token: token + "\0",
    ],
)
def test_a_token_that_is_written_otherwise(change):  # J13, J17
    assert is_refused(change(by_hand(claims())))


@pytest.mark.parametrize(
    "payload",
    [
        '{"sub": "ana", "sub": "root"}',
        "[]",
        "null",
        '"text"',
        "",
        "{",
        "{} trailing",
        "\ufeff{}",
        '{"a": ' + "[" * 5000 + "]" * 5000 + "}",
    ],
)
def test_a_payload_that_is_not_one_object(payload):  # J13
    assert is_refused(by_hand(payload))


def test_a_name_that_stands_there_twice():  # J13
    twice = json.dumps(claims())[:-1] + ', "sub": "root"}'

    assert is_refused(by_hand(twice))
    assert is_refused(by_hand(claims(), header='{"alg": "HS256", "alg": "HS256"}'))


def test_a_token_that_is_too_long_is_not_even_taken_apart(monkeypatch):  # J14
    def never(*_):
        raise AssertionError("it was taken apart")

    monkeypatch.setattr("rota.access.tokens._bytes_of", never)
    assert is_refused("a" * 2_000_000)


def test_every_bit_of_the_signature_counts():  # J17
    token = by_hand(claims())
    head, _, signature = token.rpartition(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

    others = [f"{head}.{signature[:-1]}{letter}" for letter in alphabet if letter != signature[-1]]

    assert all(is_refused(other) for other in others)


@pytest.mark.parametrize(
    "material", [b"", b"secret", b"0123456789abcdef0123456789abcde", b"a" * 64, b"changeme" * 8, b"secretsecret" * 4]
)
def test_a_secret_that_is_weak_is_refused_at_the_start(material):  # J18
    with pytest.raises(ConfigurationError, match=r"secret 'k'.*(bytes|guess)"):
        KeyRing([Key(algorithm=Algorithm.HS256, material=material, id="k")])


def test_a_public_key_as_secret_is_refused_at_the_start(pairs):  # J2, J18
    with pytest.raises(ConfigurationError, match="is a PEM"):
        KeyRing([Key(algorithm=Algorithm.HS256, material=public_pem(pairs[Algorithm.RS256]))])


def test_a_key_of_another_kind_is_refused_at_the_start_and_not_shown(pairs):  # R64, R65
    for material in (SECRET, public_pem(pairs[Algorithm.RS256])):
        with pytest.raises(ConfigurationError, match="no key for ES256") as refused:
            KeyRing([Key(algorithm=Algorithm.ES256, material=material)])
        assert "0123456789" not in str(refused.value)
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    with pytest.raises(ConfigurationError, match="too short"):
        KeyRing([Key(algorithm=Algorithm.RS256, material=public_pem(small))])


def test_a_key_does_not_show_what_it_is():  # R65
    assert SECRET.decode() not in repr(HMAC_KEY)


def test_two_keys_with_one_id_are_refused():  # R64
    with pytest.raises(ConfigurationError, match="'k'"):
        KeyRing([Key(algorithm=Algorithm.HS256, material=SECRET, id="k")] * 2)


@pytest.mark.parametrize(
    "changes",
    [
        {"sub": ""}, {"sub": "a\nb"}, {"sub": 7}, {"sub": "x" * 201}, {"jti": ""}, {"jti": ["7"]}, {"scope": 7},
        {"scope": ["read", 7]}, {"scope": None}, {"jobs": "mail"}, {"jobs": [1]}, {"tenants": "acme"}, {"tenants": [1]},
        {"tenants": {"acme": 1}},
    ],
)  # fmt: skip
def test_a_claim_of_another_kind(changes):  # R62
    assert is_refused(by_hand(claims(**changes)))


def test_a_list_of_tenants_is_names_only():  # R62
    assert verify(by_hand(claims(tenants=["*"]))).tenants == frozenset({"*"})
    assert verify(by_hand(claims(tenants=[]))).tenants == frozenset()
    assert verify(by_hand(claims(tenants="*"))).tenants is None


def test_words_of_others_in_the_scope_are_no_capabilities():  # R62
    assert verify(by_hand(claims(scope="openid email READ"))).capabilities == frozenset()
    assert verify(by_hand(claims(scope=["openid", "manage"]))).capabilities == {Capability.MANAGE}


def test_the_issuer_counts_where_one_is_expected():  # R62
    assert verify(by_hand(claims(iss="us")), issuer="us").subject == "ana"
    assert is_refused(by_hand(claims(iss="them")), issuer="us")
    assert is_refused(by_hand(claims()), issuer="us")


@given(st.text(max_size=300))
def test_no_text_does_anything_but_be_refused(text):  # I1
    assert is_refused(text)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_no_value_of_a_claim_does_anything_but_be_refused(value):  # J4, I1
    for claim in ("exp", "iat", "aud"):
        payload = json.dumps(claims() | {claim: value})
        if value in ("rota", ["rota"]) or (isinstance(value, int | float) and not isinstance(value, bool)):
            continue
        assert is_refused(by_hand(payload))


class Counted(KeyRing):
    """Keys, of which one counts how often it is asked whether it has signed."""

    def __init__(self, *keys):
        super().__init__(keys)
        self.verified = 0

    def find(self, key_id):
        found = super().find(key_id)
        return None if found is None else (found[0], self)


@pytest.fixture
def counted(monkeypatch):
    keys = Counted(HMAC_KEY)

    class Verifies:
        def verify(self, signed, prepared, signature):
            prepared.verified += 1
            return hmac.compare_digest(hmac.new(SECRET, signed, hashlib.sha256).digest(), signature)

    monkeypatch.setattr("rota.access.tokens._algorithm", lambda _: Verifies())
    return keys


def test_a_signature_is_looked_at_once(counted):
    tokens = Tokens(counted, expected=Expected(audience="rota"))
    token = by_hand(claims())

    assert tokens.verify(token, now=NOW) == tokens.verify(token, now=NOW)
    assert counted.verified == 1


@pytest.mark.parametrize("now", [NOW + timedelta(minutes=10, seconds=30), NOW - timedelta(seconds=31)])
def test_a_token_that_was_believed_is_so_only_in_its_time(now):  # J4, J8
    tokens = verifier()
    token = by_hand(claims())
    tokens.verify(token, now=NOW)

    with pytest.raises(Untrusted):
        tokens.verify(token, now=now)


def test_what_was_not_believed_takes_no_place_and_is_looked_at_again(counted):  # J14
    tokens = Tokens(counted, expected=Expected(audience="rota"))
    for _ in range(3):
        with pytest.raises(Untrusted):
            tokens.verify(by_hand(claims(), signature=b64(b"x" * 32)), now=NOW)

    assert (counted.verified, len(tokens._verified)) == (3, 0)


def test_of_tokens_that_were_believed_so_many_are_known(monkeypatch):  # J14
    monkeypatch.setattr("rota.access.tokens.MOST_KNOWN", 3)
    tokens = verifier()
    for number in range(10):
        tokens.verify(by_hand(claims(sub=f"ana-{number}")), now=NOW)

    assert len(tokens._verified) == 3
