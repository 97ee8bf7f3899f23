"""Meetings of the parliament, who wants to hear of them, and what was sent to whom."""

import os

from sqlalchemy import Column, Date, ForeignKey, Integer, MetaData, String, Table, create_engine

URL = os.environ.get("PARLIAMENT_DATABASE", "sqlite:///parliament.db")

engine = create_engine(URL)
metadata = MetaData()

meetings = Table(
    "meetings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("page", String(190), nullable=False, unique=True),
    Column("title", String(500), nullable=False),
    Column("held_on", Date, nullable=False),
)

subscribers = Table(
    "subscribers",
    metadata,
    Column("email", String(190), primary_key=True),
    # A word: who gave it is told of each meeting whose title has it.
    Column("topic", String(100), nullable=False),
)

# Written when a mail was handed over: whoever has a row here does not get it again.
sent = Table(
    "sent",
    metadata,
    Column("email", String(190), primary_key=True),
    Column("what", String(190), primary_key=True),
)

# What a search for similar meetings goes by; made anew when a title changes, and left behind.
embeddings = Table(
    "embeddings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("meeting_id", ForeignKey(meetings.c.id)),
    Column("title", String(500), nullable=False),
)
