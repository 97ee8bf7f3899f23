"""The command far from the application: by a line to a server that is in this process, through the whole HTTP door."""

from collections.abc import Mapping
from datetime import datetime
from itertools import count
from typing import Any

from click.testing import CliRunner, Result
from msgspec.structs import replace
from starlette.testclient import TestClient

from rota.app import Rota
from rota.cli.root import root
from rota.cli.session import Session
from rota.core.access import LOCAL, Principal
from rota.operations.remote import Said
from rota.web import asgi_app
from rota.web.head import Head
from tests.clocks import FakeClock

URL = "http://127.0.0.1:8765"

ANA = replace(LOCAL, subject="ana")
"""May do everything."""


class SerialClock(FakeClock):
    """A clock whose ids are the same for each application that does the same."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers = count(0x0197_0000_0000)

    def new_id(self) -> str:
        return f"{next(self._numbers):012x}7{0:019x}"


class Known:
    """An authority to whom everybody is this one: who may do what is another test."""

    is_off = False

    def __init__(self, principal: Principal = ANA) -> None:
        self._principal = principal

    async def principal(self, head: Head, *, now: datetime) -> Principal:
        return self._principal


class InProcess:
    """A line to a server that is in this process."""

    url = URL

    def __init__(self, app: Rota, principal: Principal = ANA) -> None:
        self.client = TestClient(asgi_app(app, authority=Known(principal)), raise_server_exceptions=False)

    def exchange(self, method: str, target: str, *, headers: Mapping[str, str], body: bytes | None) -> Said:
        answer = self.client.request(method, target, headers=headers, content=body)
        return Said(answer.status_code, answer.content)


def run_far(app: Rota, line: InProcess, *args: str, directory: Any = None, **more: Any) -> Result:
    """Run the command as on a machine that has no application, by the clock of the one that is asked."""
    session = Session(line=line, directory=directory)
    session.clock = app.clock
    return CliRunner().invoke(root, ["--url", URL, *args], obj=session, **more)
