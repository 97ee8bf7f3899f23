"""What the shop answers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel
from sqlalchemy import select

from rota.integrations.fastapi import RequestJobs, RequestMiddleware, lifespan
from shop.database import Base, Order, Session, web
from shop.jobs import confirm, rota
from shop.users import operator, who_asks


@asynccontextmanager
async def tables(_app: FastAPI) -> AsyncIterator[None]:
    """Have the tables of the shop; a grown-up one has migrations."""
    async with web.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield
    await web.dispose()


app = FastAPI(title="Shop", lifespan=lifespan(rota, around=tables))
app.add_middleware(RequestMiddleware, context=who_asks)
app.mount("/ops/jobs", rota.asgi_app(resolve_user=operator))


async def jobs_of(session: Session) -> RequestJobs:
    """Enqueue in the transaction of the request."""
    return RequestJobs(session)


Jobs = Annotated[RequestJobs, Depends(jobs_of)]


class Wish(BaseModel):
    """What somebody wants."""

    item: str


@app.post("/orders", status_code=201)
async def place_order(wish: Wish, session: Session, jobs: Jobs) -> dict[str, str | int]:
    """Keep an order, and have it confirmed: both or neither."""
    order = Order(item=wish.item)
    session.add(order)
    await session.flush()
    run = await jobs.aenqueue(confirm, order.id)
    if not order.item:
        raise HTTPException(422, "an order of nothing")
    return {"order": order.id, "run": run.id}


@app.get("/orders")
async def orders(session: Session) -> dict[int, str | None]:
    """Return for whom each order is confirmed."""
    return {order.id: order.confirmed_for for order in await session.scalars(select(Order))}
