"""Where the door of `rota serve` opens: bind, key, names, mode, each spelling of DISABLE_AUTH (T8, T9, J18, T39)."""

from contextlib import ExitStack
from itertools import product

import pytest

from rota.errors import ConfigurationError, RotaError
from rota.reach.address import is_loopback
from rota.settings import AuthMode, AuthSettings, Settings, WebSettings, load
from rota.settings.values import Mode
from rota.web import asgi_app
from rota.web.serving import listening
from tests.web.values import SECRET, an_app

BINDS = ["127.0.0.1", "::1", "localhost", "0.0.0.0", "::", ""]
SECRETS = {
    "none": "",
    "six bytes": "secret",
    "31 bytes": SECRET[:31],
    "a tutorial's": "changeme" * 8,
    "one letter": "a" * 64,
    "good": SECRET,
}
SPELLINGS = ["", "false", "true", "True", "TRUE", "1", "yes", "on", "true ", " true", "0", "no"]


def refusal(settings):
    """Return why no door opens under these settings; None where the address is bound, and what answers is made."""
    with ExitStack() as stack:
        try:
            stack.enter_context(listening(settings))
            asgi_app(an_app(settings))
        except ConfigurationError as error:
            return str(error)
    return None


@pytest.mark.parametrize("bind", BINDS)
@pytest.mark.parametrize("mode", list(Mode))
def test_a_door_opens_where_it_may_and_nowhere_else(bind, mode):
    for (secret_is, secret), names, auth_mode, spelling in product(
        SECRETS.items(), [(), ("jobs.example.org",)], list(AuthMode), SPELLINGS
    ):
        settings = Settings(
            mode=mode,
            web=WebSettings(host=bind, port=0, allowed_hosts=names),
            auth=AuthSettings(mode=auth_mode, secret=secret, disable=spelling),
        )
        here = is_loopback(bind)
        is_off = spelling == "true" or (spelling in ("", "false") and auth_mode is AuthMode.NONE)
        if spelling not in ("", "false", "true") or not bind:
            expected = False
        elif is_off:
            expected = here and mode is Mode.DEVELOPMENT
        else:
            # Of "host" there is no application around `rota serve`.
            expected = auth_mode is AuthMode.JWT and secret_is == "good" and (here or bool(names))

        why_not = refusal(settings)

        assert (why_not is None) == expected, (secret_is, names, auth_mode, spelling)
        assert SECRET[:31] not in (why_not or "")


def test_what_is_written_in_the_environment_is_one_of_two_words():  # T9
    def disabled(value):
        return load(env={"DISABLE_AUTH": value, "ROTA_MODE": "development"}).auth

    assert disabled("true").is_off and not disabled("false").is_off and not disabled("").is_off
    for value in ("True", "1", "yes ", "true\n"):
        with pytest.raises(ConfigurationError, match="DISABLE_AUTH"):
            _ = disabled(value).is_off


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"host": "no.such.host.invalid"}, "web.host"),
        ({"allowed_hosts": ("https://x",)}, "web.allowed_hosts"),
        ({"allowed_hosts": ("*",)}, "web.allowed_hosts"),
        ({"trusted_proxies": ("proxy.example.org",)}, "web.trusted_proxies"),
        ({"root_path": "ops/"}, "web.root_path"),
        ({"workers": 0}, "web.workers"),
        ({"port": 70000}, "web.port"),
    ],
)
def test_what_cannot_be_meant_is_named(settings, named):  # R64
    made = Settings(web=WebSettings(**({"port": 0} | settings)), auth=AuthSettings(secret=SECRET))

    with pytest.raises(RotaError, match=named):
        made.check()
        with listening(made):
            pass


def test_an_address_that_is_taken_is_said():  # R64
    made = Settings(web=WebSettings(port=0), auth=AuthSettings(secret=SECRET))
    with listening(made) as door:
        taken = int(door.url.rpartition(":")[2])

        with (
            pytest.raises(ConfigurationError, match="cannot be bound"),
            listening(Settings(web=WebSettings(port=taken), auth=AuthSettings(secret=SECRET))),
        ):
            pass
