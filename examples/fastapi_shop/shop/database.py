"""What the shop keeps, on SQLite or on the server that SHOP_DATABASE names by a URL."""

import os
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends
from sqlalchemy import String, create_engine, make_url
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column

DATABASE = make_url(os.environ.get("SHOP_DATABASE", "sqlite:///shop.db"))
DRIVERS = {
    "sqlite": ("sqlite+aiosqlite", "sqlite+pysqlite"),
    "postgresql": ("postgresql+psycopg", "postgresql+psycopg"),
    "mysql": ("mysql+aiomysql", "mysql+pymysql"),
}

# Two engines: connections of the first belong to the event loop of the server, and jobs run in threads of a worker.
of_requests, of_jobs = DRIVERS[DATABASE.get_backend_name()]
web = create_async_engine(DATABASE.set(drivername=of_requests))
work = create_engine(DATABASE.set(drivername=of_jobs))


class Base(MappedAsDataclass, DeclarativeBase):
    """The tables of the shop."""


class Order(Base):
    """Somebody wants something."""

    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    item: Mapped[str] = mapped_column(String(100))
    confirmed_for: Mapped[str | None] = mapped_column(String(100), default=None)


async def get_session() -> AsyncIterator[AsyncSession]:
    """Give a request its session, in one transaction."""
    async with AsyncSession(web) as session, session.begin():
        yield session


# "function": committed before the answer is sent, and not after.
Session = Annotated[AsyncSession, Depends(get_session, scope="function")]
