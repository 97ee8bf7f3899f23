"""What tests of reaching share."""

from datetime import timedelta

import pytest

from rota.clock import SystemClock
from rota.reach import Terms, ask
from tests.certificates import Authority


@pytest.fixture
def authority(tmp_path):
    """An authority of the test's own."""
    return Authority(tmp_path)


@pytest.fixture
def asked():
    """Ask a receiver of the test's on loopback, which has to be allowed like everything inside."""

    def asked(receiver, *, method="POST", path="/hook", host="127.0.0.1", resolve=None, **terms):
        fields = {
            "networks": ("127.0.0.0/8",),
            "ports": (receiver.port,),
            "insecure_http": receiver.scheme == "http",
            "timeout": timedelta(seconds=20),
        } | terms
        url = f"{receiver.scheme}://{host}:{receiver.port}{path}"
        more = {} if resolve is None else {"resolve": resolve}
        return ask(method, url, body=b"{}", terms=Terms(**fields), clock=SystemClock(), **more)

    return asked
