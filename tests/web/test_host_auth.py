"""Doors in an application that says who asks (R62)."""

import pytest

from rota.core.access import Capability, Principal
from rota.errors import ConfigurationError
from rota.settings import AuthMode
from rota.web.authority.host import Role, User
from tests.web.values import a_client, a_token, an_app, bearer, some_settings

JOBS = "/api/v1/jobs"


def ana(request):
    if request.cookies.get("who") == "ana":
        return User(name="ana", role=Role.ADMIN, tenants=None)
    return None


def test_the_application_says_who_asks():  # R62
    client = a_client(an_app(), resolve_user=ana)

    assert client.get(JOBS, headers={"Cookie": "who=ana"}).status_code == 200
    assert client.get(JOBS, headers={"Cookie": "who=eve"}).status_code == 401
    # A token of ours says nothing where the application decides.
    assert client.get(JOBS, headers=bearer(a_token())).status_code == 401


async def awaited(request):
    return ana(request)


@pytest.mark.parametrize("resolve_user", [awaited, lambda request: awaited(request)], ids=["itself", "called"])
def test_it_may_be_asked_in_its_own_loop(resolve_user):
    client = a_client(an_app(), resolve_user=resolve_user)

    assert client.get(JOBS, headers={"Cookie": "who=ana"}).status_code == 200


def test_a_role_is_what_may_be_done():  # R62
    assert User(name="v").principal() == Principal(
        subject="v", capabilities=frozenset({Capability.READ}), jobs=("*",), tenants=frozenset()
    )
    operator = User(name="o", role=Role.OPERATOR, tenants=frozenset({"acme"})).principal()
    assert operator.may(Capability.MANAGE) and operator.may(Capability.TRIGGER) and not operator.may(Capability.ADMIN)
    assert operator.knows_tenant("acme") and not operator.knows_tenant("globex")


@pytest.mark.parametrize("told", [{}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}])
def test_a_cookie_alone_changes_nothing(told):  # T35
    client = a_client(an_app(), resolve_user=ana)

    assert client.post(JOBS, headers={"Cookie": "who=ana"} | told).status_code == 403
    assert client.post(JOBS, headers={"Cookie": "who=ana", "Sec-Fetch-Site": "same-origin"}).status_code == 405


@pytest.mark.parametrize("broken", [lambda request: 1 / 0, lambda request: "ana"])
def test_an_application_that_fails_lets_nobody_in_and_tells_nothing(broken):  # T57
    answer = a_client(an_app(), resolve_user=broken).get(JOBS)

    assert answer.status_code == 500
    assert "ZeroDivision" not in answer.text and "resolve_user" not in answer.text


def test_without_an_application_nobody_could_say():  # R62
    with pytest.raises(ConfigurationError, match="resolve_user"):
        an_app(some_settings(auth={"mode": AuthMode.HOST})).asgi_app()


def test_an_application_that_fails_does_not_make_it_less_ready():  # T57
    client = a_client(an_app(), resolve_user=lambda _request: 1 / 0)

    assert client.get("/readyz", headers=bearer("x")).json() == {"status": "ready"}
