"""The page that shows the API: whole from this package, and nothing of it from elsewhere."""

import re
from hashlib import sha256
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

import rota.web
from tests.web.values import a_client, a_token, an_app

VENDOR = Path(rota.web.__file__).parent / "vendor"
SUMS = dict(reversed(line.split()) for line in (VENDOR / "sums").read_text().splitlines())


@pytest.mark.parametrize("name", sorted(SUMS))
def test_a_file_of_others_is_as_it_was_fetched(name):
    assert sha256((VENDOR / name).read_bytes()).hexdigest() == SUMS[name]


def test_the_page_loads_files_of_its_own_alone():
    client = a_client(an_app(), a_token())

    page = client.get("/api/docs")

    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert page.status_code == 200
    assert len(loaded) == 4
    for name in loaded:
        # As a browser resolves it, from the folder that the page stands in.
        assert client.get(f"/api/{name}").status_code == 200, name


def test_no_script_of_others_may_run_on_it():  # T37
    policy = a_client(an_app(), a_token()).get("/api/docs").headers["content-security-policy"]

    assert "script-src 'self';" in policy
    assert "default-src 'none'" in policy
    assert "http" not in policy


def test_the_document_says_where_it_is_mounted():
    outer = Starlette(routes=[Mount("/ops", an_app().asgi_app())])
    client = TestClient(outer, headers={"Authorization": f"Bearer {a_token()}"})

    answer = client.get("/ops/api/openapi.json")

    assert answer.json()["servers"] == [{"url": "/ops"}]
