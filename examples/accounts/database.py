"""Users, in the database in which Rota keeps its runs: so that one transaction is for both."""

import os
from datetime import datetime

from sqlalchemy import Boolean, Column, DateTime, Integer, MetaData, String, Table, column, create_engine, false, table

URL = os.environ.get("ACCOUNTS_DATABASE", "sqlite:///accounts.db")

engine = create_engine(URL)
metadata = MetaData()

users = Table(
    "users",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("email", String(190), nullable=False, unique=True),
    Column("password", String(200), nullable=False),
    Column("is_confirmed", Boolean, nullable=False, server_default=false()),
    # What was mailed to confirm the address, or to choose a new password.
    Column("code", String(40)),
    Column("code_expires_at", DateTime),
)

# Rota's, with all that there is to know of it: what is written here runs.
cron_jobs = table(
    "cron_jobs", column("name"), column("user_id"), column("run_at", DateTime), column("interval_minutes", Integer)
)


def stored(instant: datetime) -> datetime:
    """Return an instant as it stands in the tables: UTC without saying so, in whole seconds."""
    return instant.replace(tzinfo=None, microsecond=0)
