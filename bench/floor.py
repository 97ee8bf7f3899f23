"""What the driver alone takes for the two durable commits between an enqueue and the start of its run: one row in, and
marked as taken."""

import sqlite3
from collections.abc import Callable
from typing import Any

import psycopg
import pymysql
import redis
from sqlalchemy import make_url

from rota.clock import SystemClock

CLOCK = SystemClock()
TABLE = "CREATE TABLE floor_runs (id VARCHAR(32) PRIMARY KEY, job VARCHAR(50), state VARCHAR(16), args TEXT)"
INSERT = "INSERT INTO floor_runs VALUES (?, 'bench', 'queued', '{}')"
TAKE = "UPDATE floor_runs SET state = 'running' WHERE id = ? AND state = 'queued'"


def two_commits(url: str) -> Callable[[], None]:
    """Return what makes them, on a connection of its own, in a table of its own."""
    address = make_url(url)
    match address.get_backend_name():
        case "redis":
            return _two_writes(redis.Redis.from_url(url))
        case "sqlite":
            driver: Any = sqlite3.connect(str(address.database), isolation_level=None)
            driver.execute("PRAGMA synchronous = FULL")
            mark = "?"
        case "postgresql":
            plain = address.set(drivername="postgresql").render_as_string(hide_password=False)
            driver, mark = psycopg.connect(plain, autocommit=True), "%s"
        case _:
            driver, mark = _mariadb(address), "%s"
    cursor = driver.cursor()
    cursor.execute(TABLE)

    def commit_both() -> None:
        run_id = CLOCK.new_id()
        for statement in (INSERT, TAKE):
            cursor.execute(statement.replace("?", mark), (run_id,))

    return commit_both


def _mariadb(address: Any) -> Any:
    return pymysql.connect(
        host=address.host, port=address.port or 3306, user=address.username, password=address.password or "",
        database=address.database, autocommit=True, ssl_disabled=True,
    )  # fmt: skip


def _two_writes(client: Any) -> Callable[[], None]:
    def write_both() -> None:
        run_id = CLOCK.new_id()
        client.hset(f"floor:{run_id}", mapping={"job": "bench", "state": "queued", "args": "{}"})
        client.hset(f"floor:{run_id}", "state", "running")

    return write_both
