"""Tokens of an identity provider at the gate: when it is asked, and who waits (R62)."""

from datetime import timedelta

from rota.access.keys import Algorithm, Key
from rota.access.tokens import sign
from tests.access.test_jwks import Provider, jwk, key_set, pairs, provider  # noqa: F401  fixtures
from tests.access.test_tokens import pem
from tests.clocks import FakeClock
from tests.web.values import a_client, an_app, bearer, claims, some_settings

JOBS = "/api/v1/jobs"
RS = Algorithm.RS256


def a_door(**parts):
    auth = {"secret": "", "jwks": "https://id.example.org/keys"}
    app = an_app(some_settings(auth=auth), **parts)
    assert app.store  # opened: the clock goes by it from now on
    return a_client(app)


def ask(client, pairs, key_id="RS256", *, times=1):  # noqa: F811
    token = sign(claims(), Key(algorithm=RS, material=pem(pairs[RS]), id=key_id))
    return [client.get(JOBS, headers=bearer(token)).status_code for _ in range(times)]


def test_the_first_token_waits_for_the_keys_and_the_next_do_not(provider, pairs):  # noqa: F811
    provider.content = key_set(jwk(pairs[RS], RS))
    client = a_door()

    assert ask(client, pairs, times=5) == [200] * 5
    assert provider.asked == 1


def test_a_key_that_is_new_there_is_asked_for(provider, pairs):  # noqa: F811
    provider.content = key_set(jwk(pairs[RS], RS))
    clock = FakeClock()
    client = a_door(clock=clock)
    ask(client, pairs)
    provider.content = key_set(jwk(pairs[RS], RS, kid="next"))

    # Within the minute nobody asks, whatever tokens say.
    assert ask(client, pairs, "next", times=5) == [401] * 5
    assert provider.asked == 1
    clock.advance(timedelta(minutes=1))

    assert ask(client, pairs, "next") == [200]
    assert ask(client, pairs, "another", times=5) == [401] * 5
    assert provider.asked == 2


def test_a_provider_that_is_away_lets_nobody_in_and_is_not_asked_by_each(provider, pairs):  # noqa: F811
    provider.is_away = True
    client = a_door()

    assert ask(client, pairs, times=5) == [401] * 5
    assert provider.asked == 1
