"""Who asks: in a shop with doors there would be passwords."""

from fastapi.requests import HTTPConnection, Request

from rota import JobContext
from rota.web import Role, User

KEYS = {"the key of ana": "ana", "the key of the boss": "boss"}


def user_of(request: HTTPConnection) -> str | None:
    """Return who sends a request; None is a guest."""
    return KEYS.get(request.headers.get("x-key", ""))


def who_asks(request: HTTPConnection) -> JobContext:
    """Return what a request tells its jobs."""
    return JobContext(user_id=user_of(request))


def operator(request: Request) -> User | None:
    """Return what a request may do with Rota."""
    return User(name="boss", role=Role.ADMIN, tenants=None) if user_of(request) == "boss" else None
