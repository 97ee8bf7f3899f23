"""The OpenAPI document: valid, whole, and its examples are what it says."""

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from rota.operations.document import document
from rota.operations.operation import Operation
from rota.operations.table import OPERATIONS

DOCUMENT = document(OPERATIONS, prefix="/ops")


def bodies():
    for path, said in DOCUMENT["paths"].items():
        for method, one in said.items():
            name = f"{method} {path}"
            if "requestBody" in one:
                yield f"{name} asked", one["requestBody"]["content"]["application/json"]
            for status, answer in one["responses"].items():
                if "content" in answer:
                    yield f"{name} {status}", answer["content"]["application/json"]


BODIES = dict(bodies())


def test_it_is_a_document_of_openapi():
    validate(DOCUMENT)


def test_every_operation_stands_in_it_with_what_it_needs():
    said = {one["operationId"]: one["x-needs"] for path in DOCUMENT["paths"].values() for one in path.values()}

    assert said == {one.name: str(one.needs) for one in OPERATIONS}


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
