"""Make the tables of the application, and two subscribers. May be done again and again."""

from sqlalchemy import insert, select

from examples.parliament.database import engine, metadata, subscribers

FIRST = {"ana@example.org": "Fisheries", "bo@example.org": "Budget"}


def set_up() -> None:
    """Make what is not there yet."""
    metadata.create_all(engine)
    with engine.begin() as db:
        there = set(db.scalars(select(subscribers.c.email)))
        for email in FIRST.keys() - there:
            db.execute(insert(subscribers).values(email=email, topic=FIRST[email]))


if __name__ == "__main__":
    set_up()
