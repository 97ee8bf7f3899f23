"""What tests of channels share."""

import pytest

from rota.clock import SystemClock
from rota.notifiers import make
from tests.certificates import Authority
from tests.clocks import FakeClock

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def clock():
    """A clock that stands at noon."""
    return FakeClock()


@pytest.fixture
def authority(tmp_path):
    """An authority of the test's own."""
    return Authority(tmp_path)


class NoonClock(FakeClock):
    """The wall stands at noon, durations pass: what waits in these tests waits for a socket."""

    def monotonic(self):
        return SystemClock().monotonic()


@pytest.fixture
def web_channel():
    """Make a channel to a receiver of the test's own on loopback, which has to be allowed like everything inside."""

    def web_channel(kind, receiver, **options):
        address = {"webhook": {"url": receiver.url, "key": KEY}, "sentry": {}}.get(kind, {"webhook": receiver.url})
        reach = {
            "networks": ["127.0.0.0/8"],
            "ports": [receiver.port],
            "insecure_http": receiver.scheme == "http",
            "timeout": "20s",
        }
        return make(kind, address | reach | options, clock=NoonClock())

    return web_channel
