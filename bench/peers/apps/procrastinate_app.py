"""Procrastinate on PostgreSQL."""

import os

import notes
from procrastinate import App, PsycopgConnector, SyncPsycopgConnector

url = os.environ["PEERS_URL"]
app = App(connector=PsycopgConnector(conninfo=url))

nothing = app.task(name="nothing")(notes.nothing)
arrive = app.task(name="arrive")(notes.arrive)
slow = app.task(name="slow")(notes.slow)


def send_many(number: int) -> None:
    for start in range(0, number, 1_000):
        nothing.batch_defer(*[{} for _ in range(min(1_000, number - start))])


if __name__ == "__main__":
    with app.replace_connector(SyncPsycopgConnector(conninfo=url)), app.open():
        notes.main(
            send_nothing=nothing.defer,
            send_arrive=lambda sent_at: arrive.defer(sent_at=sent_at),
            send_slow=lambda number: slow.defer(number=number),
            send_many=send_many,
            set_up=app.schema_manager.apply_schema,
        )
