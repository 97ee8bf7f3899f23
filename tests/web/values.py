"""Applications, tokens and clients for the tests of the HTTP door."""

from datetime import UTC, datetime

from starlette.testclient import TestClient

from rota import Rota
from rota.access.keys import Algorithm, Key
from rota.access.tokens import sign
from rota.settings import AuthSettings, Settings, WebSettings

SECRET = "a-secret-of-more-than-thirty-two-bytes-made-for-tests"


def some_settings(*, web=None, auth=None, **top):
    """Settings with a secret for tokens; `web` and `auth` are what else those sections say."""
    return Settings(
        web=WebSettings(**(web or {})), auth=AuthSettings(**({"secret": SECRET} | (auth or {}))), **top
    )  # fmt: skip


def an_app(settings=None, **parts) -> Rota:
    app = Rota("memory://", settings=settings or some_settings(), tenants=["acme", "globex"], **parts)

    @app.job()
    def greet(name: str) -> None: ...

    return app


def claims(**changes) -> dict[str, object]:
    """A good payload as of now, with changes; None takes a claim away."""
    now = int(datetime.now(UTC).timestamp())
    payload = {
        "sub": "ana",
        "aud": "rota",
        "iat": now,
        "exp": now + 600,
        "scope": "admin",
        "jobs": ["*"],
        "tenants": "*",
    } | changes
    return {name: value for name, value in payload.items() if value is not None}


def a_token(*, secret=SECRET, key_id="", **changes) -> str:
    return sign(claims(**changes), Key(algorithm=Algorithm.HS256, material=secret.encode(), id=key_id))


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def a_client(
    app: Rota, token: str | None = None, *, source="testclient", base="http://testserver", **door
) -> TestClient:
    """A client of the door; `source` is the address that it asks from, `door` what the door is made with."""
    return TestClient(
        app.asgi_app(**door),
        base_url=base,
        headers=bearer(token) if token else {},
        client=(source, 50000),
        raise_server_exceptions=False,
    )
