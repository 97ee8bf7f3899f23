"""What tokens say, through the gate: the vectors J1 to J19 once more, and capabilities, jobs and tenants (J15)."""

import base64
import json

import pytest

from tests.web.values import SECRET, a_client, a_token, an_app, bearer, claims

JOBS = "/api/v1/jobs"


def b64(content):
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def unsigned(alg):
    return f"{b64({'alg': alg})}.{b64(claims())}."


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(unsigned("none"), id="J1"),
        pytest.param(unsigned("nOnE") + "x", id="J1 with a signature"),
        pytest.param(a_token(exp=None), id="J3"),
        pytest.param(a_token(exp=1), id="J4"),
        pytest.param(a_token(exp="soon"), id="J4 text"),
        pytest.param(a_token(exp=claims()["iat"] + 31 * 365 * 86400), id="J5"),
        pytest.param(a_token(aud=None), id="J6"),
        pytest.param(a_token(aud=["other"]), id="J7"),
        pytest.param(a_token(iat=claims()["iat"] + 300), id="J8"),
        pytest.param(a_token(key_id="../../dev/null"), id="J11"),
        pytest.param(a_token() + "=", id="J13"),
        pytest.param("x" * 9000, id="J14"),
        pytest.param(a_token()[:-1], id="J17"),
    ],
)
def test_a_token_that_is_not_to_be_believed_is_refused_in_one_way(token):  # J1 to J19
    client = a_client(an_app())
    nobody = client.get(JOBS)

    answer = client.get(JOBS, headers=bearer(token))

    assert answer.status_code == 401
    assert answer.content == nobody.content and answer.headers == nobody.headers


def test_a_capability_that_a_token_has_not_is_refused():  # J15
    app = an_app()
    run = app.jobs["greet"].enqueue("ana")

    answer = a_client(app, a_token(scope="read")).post(f"/api/v1/runs/{run.id}/cancel", json={})

    assert answer.status_code == 403
    assert a_client(app, a_token(scope="trigger")).get(JOBS).status_code == 403


def test_a_job_that_a_token_is_not_for_does_not_exist():  # J15
    client = a_client(an_app(), a_token(jobs=["mail_*"]))

    forbidden, missing = client.get(f"{JOBS}/greet"), client.get(f"{JOBS}/breet")

    assert forbidden.status_code == missing.status_code == 404
    assert forbidden.text.replace("greet", "breet") == missing.text


def test_a_tenant_that_a_token_is_not_for_does_not_exist():  # J15
    app = an_app()
    run = app.jobs["greet"].using(tenant="globex").enqueue("ana")
    path = f"/api/v1/runs/{run.id}"

    assert a_client(app, a_token(tenants=["globex"])).get(path).status_code == 200
    assert a_client(app, a_token(tenants=["acme"])).get(path).status_code == 404


def test_the_secret_is_in_no_answer():  # R65
    client = a_client(an_app(), a_token())

    for path in (JOBS, "/healthz", "/readyz", "/metrics", "/api/v1/tokens", "/nowhere"):
        assert SECRET not in client.get(path).text
