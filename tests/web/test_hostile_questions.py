"""Whatever a question says, it is answered, or refused with field and reason: never with a bug (R64, T28, T40)."""

import math
from datetime import datetime
from http import HTTPStatus
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rota.core.access import LOCAL
from rota.errors import BadRequest, RotaError
from rota.operations.bounds import LONGEST_TEXT, OUTPUTS
from rota.operations.operation import Desk, Method
from rota.operations.table import OPERATIONS
from rota.operations.wire import question
from rota.stores import open_store
from rota.stores.memory import MemoryStore
from rota.web.problem import status_of
from tests.web.samples import ours
from tests.web.world import World

TEXTS = [
    "'", "' OR '1'='1", "'; DROP TABLE rota_runs; --", "1) UNION SELECT body FROM rota_controls--", "%", "_", "\\",
    "a%' ESCAPE '!", "' AND SLEEP(5)--", '"', "`", "?", ":1", "%s", "{runs}", "{rows(id:id)}", "$(touch x)",
    "../../etc/passwd", "*", "@", "@'", "-", "", " ", "0196", "g" * 199, "x" * 201, "x" * 10_001, "acme\x00",
    "acme\r\nX: y", "\u202e", "\ud800", "\uff21cme", "acme ", "state:", "state:failed job:", "-tenant:'",
    "since:now-99999999d", "duration:>99999999999999999999s", "attempt:>1e999", "error:" + "(" * 500,
    "args.0.0.0.0:x", "run:' OR 1", "slot:9999-12-31",
]  # fmt: skip
NUMBERS = [0, -1, 1, 1001, 10**9, 10**30, -(10**30), 1.5, math.inf, "1e9", "many", "", None, True, [], {}]
TIMES = [
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "2026-01-01T00:00:00", "2026-01-01", "now", "", "1e999",
    "2026-02-30T00:00:00Z", "1969-12-31T23:59:59Z",
]  # fmt: skip
CORPUS = [*TEXTS, *NUMBERS, *TIMES]


@pytest.fixture(scope="module")
def desks(tmp_path_factory):
    """What reads are put to, which are SQL of our own making, and what writes are."""
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('hostile')}/rota.db")
    store.setup()
    return [Desk(app=World(store=one).app, principal=LOCAL, door="api") for one in (store, MemoryStore())]


def status(desks: list[Desk], operation: Any, fields: dict[str, Any]) -> HTTPStatus:
    """Return what a request with these fields is answered; what nobody foresaw is raised."""
    path = {name: str(value) for name, value in fields.items() if f"{{{name}}}" in operation.path}
    rest = {name: value for name, value in fields.items() if name not in path}
    try:
        if operation.method.has_body:
            asked = question(operation, path=path, query=[], body=rest)
        else:
            pairs = [(name, str(one)) for name, value in rest.items() for one in _several(value)]
            asked = question(operation, path=path, query=pairs, body=None)
        desk = desks[operation.method is not Method.GET]
        msgspec.json.encode(desk.ask(operation, asked))
    except RotaError as error:
        return status_of(error)
    return HTTPStatus.OK


def _several(value):
    return value if isinstance(value, list) else [value]


def least(operation):
    return {
        name: value
        for name, value in msgspec.to_builtins(next(ours(operation))).items()
        if name in {field.name for field in msgspec.structs.fields(operation.asks) if field.required}
    }


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_no_value_of_a_field_is_answered_with_a_bug(operation, desks):  # R64, T28
    for field in msgspec.structs.fields(operation.asks):
        for value in CORPUS:
            said = [value, value] if _takes_many(field) else value
            answer = status(desks, operation, least(operation) | {field.name: said})

            assert answer < 500, f"{field.name}={said!r}"


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_what_is_too_much_is_refused_with_its_field(operation):  # T40
    base = least(operation)
    for field in msgspec.structs.fields(operation.asks):
        if "typing.Any" in str(field.type):
            continue
        for value in ("x" * (OUTPUTS.get(field.name, LONGEST_TEXT) + 1), "acme\x00evil"):
            with pytest.raises(BadRequest) as refused:
                carry = base | {field.name: [value] if _takes_many(field) else value}
                path = {name: said for name, said in carry.items() if f"{{{name}}}" in operation.path}
                rest = {name: said for name, said in carry.items() if name not in path}
                if operation.method.has_body:
                    question(operation, path=path, query=[], body=rest)
                else:
                    pairs = [(name, str(one)) for name, said in rest.items() for one in _several(said)]
                    question(operation, path=path, query=pairs, body=None)

            assert refused.value.field.startswith(field.name)


def _takes_many(field):
    return "tuple[" in str(field.type)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_a_limit_is_a_number_of_rows_that_a_page_can_have(operation):  # T40
    if "limit" not in {field.name for field in msgspec.structs.fields(operation.asks)}:
        return
    for limit in (0, -1, 10**9):
        with pytest.raises(BadRequest, match="limit"):
            question(operation, path={}, query=[("limit", str(limit))], body=None)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    asked=st.sampled_from([(one, field) for one in OPERATIONS for field in msgspec.structs.fields(one.asks)]),
    value=st.one_of(st.text(max_size=40), st.integers(), st.floats(), st.datetimes().map(datetime.isoformat)),
)
def test_nothing_that_comes_to_mind_is_answered_with_a_bug(asked, value, desks):  # R64, T28
    operation, field = asked
    said = [value] if _takes_many(field) else value

    assert status(desks, operation, least(operation) | {field.name: said}) < 500


@pytest.mark.parametrize("name", ["show_run", "show_error", "list_runs", "list_incidents"])
def test_what_cannot_be_an_id_is_no_question_to_a_store(name):  # MariaDB refuses to compare it with one
    [operation] = [one for one in OPERATIONS if one.name == name]
    [field] = {"id", "fingerprint", "cursor"} & {field.name for field in msgspec.structs.fields(operation.asks)}
    path = {field: "\uff21cme00"} if f"{{{field}}}" in operation.path else {}

    with pytest.raises(BadRequest) as refused:
        question(operation, path=path, query=[] if path else [(field, "\uff21cme00")], body=None)

    assert refused.value.field == field
