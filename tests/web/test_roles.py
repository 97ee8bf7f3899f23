"""Who may ask what: each operation with each capability, and each address of the door (R62, T11, T15)."""

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from rota.core.access import Capability, Principal
from rota.errors import ConfigurationError
from rota.operations.table import OPERATIONS
from rota.operations.wire import carried
from rota.web.gate import OPEN
from rota.web.policy import POLICY, Pass, guarded
from rota.web.shield import ALWAYS
from tests.web.samples import ours
from tests.web.world import OURS, World, id_of

SCOPES = ["", *map(str, Capability)]
ROUTES = sorted(POLICY)
SPOKEN = {"{id}": id_of(f"failed-{OURS}"), "{name}": "report", "{job_name}": "report"}


def may(scope, needs):
    return Principal(subject="ana", capabilities=frozenset(map(Capability, scope.split()))).may(needs)


def address(line):
    """Return method and path of a line of the policy, with names for what stands in braces."""
    method, _, path = line.partition(" ")
    for field, said in SPOKEN.items():
        path = path.replace(field, said)
    return method, path.replace("{", "").replace("}", "").replace(":path", "")


@pytest.fixture(scope="module")
def world():
    return World()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_each_capability_may_do_what_it_is_for(operation):  # R62
    world, sent = World(), carried(operation, next(ours(operation)))
    for scope in SCOPES:
        answer = world.client(scope=scope).request(str(operation.method), sent.target, content=sent.body)

        if may(scope, operation.needs):
            assert answer.status_code not in (401, 403), answer.text
            assert answer.status_code < 500, answer.text
        else:
            assert answer.status_code == 403
            assert answer.json()["code"] == "forbidden"


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one.is_whole], ids=lambda one: one.name)
@pytest.mark.parametrize("sees", [{"tenants": [OURS]}, {"jobs": ["report"]}], ids=["tenants", "jobs"])
def test_what_tells_of_all_is_refused_to_who_sees_some(operation, sees, world):  # T15
    sent = carried(operation, next(ours(operation)))

    answer = world.client(**sees).request(str(operation.method), sent.target, content=sent.body)

    assert answer.status_code == 403


def test_every_route_of_the_door_has_a_line():  # T11
    # What has none is not built; this one lists them once more, and that no line is of a route that is gone.
    routes = World().app.asgi_app()._inner._inner._inner.routes

    assert all(isinstance(route, Route) for route in routes)
    listed = {
        f"{method} {route.path.replace(':path', '')}"
        for route in routes
        for method in route.app.answers
        if method != "HEAD"
    }
    assert listed == set(POLICY)


def test_a_route_without_a_line_is_not_built():  # T11
    async def endpoint(request): ...

    with pytest.raises(ConfigurationError, match="GET /new has no line"):
        guarded("GET", "/new", endpoint)


def test_only_what_the_gate_lets_through_is_for_anybody():  # T10
    anybody = {line.partition(" ")[2] for line, needs in POLICY.items() if needs is Pass.ANYBODY}

    assert anybody <= OPEN
    assert not {line for line in POLICY if line.partition(" ")[2] in OPEN - anybody}


@pytest.mark.parametrize("line", ROUTES)
def test_nobody_passes_unnamed(line, world):  # R62, T11
    method, path = address(line)
    client = TestClient(world.app.asgi_app(), raise_server_exceptions=False)

    for headers in ({}, {"Cookie": f"session={world.token()}; rota_session={world.token()}"}):
        answer = client.request(method, path, headers=headers)

        assert (answer.status_code == 401) is (POLICY[line] is not Pass.ANYBODY)
        assert ALWAYS.items() <= {name: answer.headers.get(name) for name in ALWAYS}.items()


@pytest.mark.parametrize("line", [line for line in ROUTES if isinstance(POLICY[line], Capability)])
def test_each_lower_role_is_refused(line, world):  # R62
    method, path = address(line)
    for scope in SCOPES:
        if may(scope, POLICY[line]):
            continue
        answer = world.client(scope=scope).request(method, path, content=b"\x00 no JSON")

        # Before anything of the body is read.
        assert answer.status_code == 403
        assert ALWAYS.items() <= dict(answer.headers).items() or answer.headers["content-security-policy"]
