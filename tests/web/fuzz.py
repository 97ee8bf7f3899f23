"""Requests that a fuzzer makes up from the document: every answer is one that the document knows, and none is a bug.

    python -m pytest -p schemathesis.pytest.plugin tests/web/fuzz.py

`test_fuzz.py` runs this in a process of its own: the fuzzer works out its cases while tests are collected, and each
worker of pytest-xdist would do so, for some seconds and 400 MB.
"""

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from tests.web.values import a_token, an_app

APP = an_app()
HEADERS = {"Authorization": f"Bearer {a_token()}"}

schema = schemathesis.openapi.from_asgi("/api/openapi.json", APP.asgi_app(), headers=HEADERS)


@schema.parametrize()
@settings(
    max_examples=5, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate]
)
def test_every_answer_is_one_that_the_document_knows(case):  # R64
    # Searches, cursors and zones have grammars of their own, which a schema cannot say; and in a query every value is a
    # text, also one that is a number to the fuzzer: test_door.py has what is refused there.
    excluded = [positive_data_acceptance, *([negative_data_rejection] if case.method == "GET" else [])]
    case.call_and_validate(headers=HEADERS, excluded_checks=excluded)
