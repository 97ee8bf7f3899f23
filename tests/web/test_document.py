"""The OpenAPI document: valid, whole, and its examples are what it says."""

import json

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from rota.operations.addresses import ADDRESSES
from rota.operations.document import document
from rota.operations.operation import Operation
from rota.operations.table import OPERATIONS
from rota.web.policy import POLICY

DOCUMENT = document(OPERATIONS, prefix="/ops")


def bodies():
    for path, said in DOCUMENT["paths"].items():
        for method, one in said.items():
            name = f"{method} {path}"
            if "requestBody" in one:
                yield f"{name} asked", one["requestBody"]["content"]["application/json"]
            for status, answer in one["responses"].items():
                for media, form in answer.get("content", {}).items():
                    yield f"{name} {status} {media}", form


BODIES = dict(bodies())


def test_it_is_a_document_of_openapi():
    validate(DOCUMENT)


def test_every_operation_stands_in_it_with_what_it_needs():
    said = {one["operationId"]: one["x-needs"] for path in DOCUMENT["paths"].values() for one in path.values()}

    assert said == {one.name: str(one.needs) for one in OPERATIONS} | {
        one.name: None if one.needs is None else str(one.needs) for one in ADDRESSES
    }


def test_every_address_that_answers_programs_stands_in_it_with_what_it_needs():  # T11
    # Not the pages that show it.
    served = {one: needs for one, needs in POLICY.items() if not one.startswith("GET /api/docs")}
    del served["GET /api/openapi.json"]
    said = {
        f"{method.upper()} {path}": "anybody" if one.get("security") == [] else one["x-needs"] or "named"
        for path, methods in DOCUMENT["paths"].items()
        for method, one in methods.items()
    }

    assert said == {one: str(needs) for one, needs in served.items()}


def test_the_events_of_a_stream_are_what_they_are_said_to_be():
    follow = DOCUMENT["paths"]["/api/v1/runs/{id}/log/stream"]["get"]
    events = follow["responses"]["200"]["content"]["text/event-stream"]["example"].strip().split("\n\n")

    for event in events:
        fields = dict(line.split(": ", 1) for line in event.splitlines())
        schema = {**follow["x-events"][fields["event"]], "components": DOCUMENT["components"]}
        assert not list(Draft202012Validator(schema).iter_errors(json.loads(fields["data"])))


@pytest.mark.parametrize("name", BODIES)
def test_an_example_is_what_its_schema_says(name):
    body = BODIES[name]
    schema = {**body["schema"], "components": DOCUMENT["components"]}

    found = list(Draft202012Validator(schema).iter_errors(body["example"]))

    assert not found


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_an_operation_says_what_it_does(operation: Operation) -> None:
    assert operation.text


def test_every_field_of_a_question_in_a_path_is_a_parameter_that_has_to_be_there():
    for path, said in DOCUMENT["paths"].items():
        for one in said.values():
            named = {parameter["name"] for parameter in one.get("parameters", ()) if parameter["in"] == "path"}
            assert all(f"{{{name}}}" in path for name in named)
            assert path.count("{") == len(named)
