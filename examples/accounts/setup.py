"""Make the table of users, and write the two rows of `cron_jobs` that are no user's. May be done again and again."""

from sqlalchemy import insert, select

from examples.accounts.database import cron_jobs, engine, metadata

EVERY_MINUTES = {"Noop": 5, "CountAccounts": 15}


def set_up() -> None:
    """Make what is not there yet."""
    metadata.create_all(engine)
    with engine.begin() as db:
        there = set(db.scalars(select(cron_jobs.c.name).where(cron_jobs.c.user_id.is_(None))))
        for name in EVERY_MINUTES.keys() - there:
            db.execute(insert(cron_jobs).values(name=name, interval_minutes=EVERY_MINUTES[name]))


if __name__ == "__main__":
    set_up()
