"""A server that gives too few connections, as the door sees it (C7)."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import psycopg
import pytest
from httpx2 import Response
from sqlalchemy import make_url

from rota import Rota
from rota.queries import RunQuery
from tests.servers import unique_name
from tests.web.values import a_client, a_token, some_settings

FEW = 5
LONGEST_S = 20.0
BODY = {"job": "greet", "args": ["ana"]}


def connected(url: str) -> psycopg.Connection:
    return psycopg.connect(make_url(url).set(drivername="postgresql").render_as_string(False), autocommit=True)


@pytest.fixture
def limited(postgres_ready: str) -> str:
    """The URL of a store for an account that may have five connections."""
    name = unique_name()
    with closing(connected(postgres_ready)) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{name}' CONNECTION LIMIT {FEW}")
        for what in ("SCHEMA public", "ALL TABLES IN SCHEMA public", "ALL SEQUENCES IN SCHEMA public"):
            connection.execute(f"GRANT ALL ON {what} TO {name}")
    return make_url(postgres_ready).set(username=name, password=name).render_as_string(hide_password=False)


def test_with_few_connections_the_door_refuses_and_recovers_and_nobody_hangs(limited):  # C7, T58
    app = Rota(limited, settings=some_settings())

    @app.job()
    def greet(name: str) -> None: ...

    client = a_client(app, a_token())

    def ask(number: int) -> Response:
        return client.post("/api/v1/runs", json=BODY) if number % 2 else client.get("/api/v1/runs")

    def all_of(number: int) -> list[Response]:
        with ThreadPoolExecutor(number) as pool:
            return list(pool.map(ask, range(number), timeout=LONGEST_S))

    with ExitStack() as others:
        for _ in range(FEW):
            others.enter_context(closing(connected(limited)))
        refused = all_of(4)
    crowd = all_of(20)
    accepted = [answer.json()["run"] for answer in crowd if answer.status_code == 202]
    alone = all_of(2)

    assert {answer.status_code for answer in refused} == {503}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in refused)
    assert {answer.status_code for answer in crowd} <= {200, 202, 503}
    assert [answer.status_code for answer in alone] == [200, 202]
    # Who was accepted is there, and who was refused is not.
    stored = app.store.runs(RunQuery(limit=100))
    assert sorted([*accepted, alone[1].json()["run"]]) == sorted(run.id for run in stored)
    app.close()
