"""Huey on Redis, PostgreSQL or SQLite."""

import os

import notes
from huey import PostgresHuey, RedisHuey, SqliteHuey

url = os.environ["PEERS_URL"]
if url.startswith("redis"):
    huey = RedisHuey("bench", url=url)
elif url.startswith("postgresql"):
    huey = PostgresHuey("bench", dsn=url)
else:
    huey = SqliteHuey("bench", filename=url.removeprefix("sqlite:///"))

nothing = huey.task()(notes.nothing)
arrive = huey.task()(notes.arrive)
slow = huey.task()(notes.slow)

if __name__ == "__main__":
    notes.main(send_nothing=nothing, send_arrive=arrive, send_slow=slow)
