"""Jobs of the tests."""

import asyncio
import threading

from asgiref.sync import sync_to_async
from django.db import connections, transaction

from rota import JobContext, RunContext
from rota.integrations.django import rota
from tests.integrations.django.agency.models import Item


@rota.job()
def keep(name: str) -> None:
    """Keep an item."""
    Item.objects.create(name=name)


@rota.job()
def who() -> str:
    """Say who asked."""
    context = JobContext.current()
    return f"{context.user_id} of {context.attributes['agency']}"


@rota.job()
async def akeep(name: str) -> None:
    """Keep an item, from a coroutine."""
    await Item.objects.acreate(name=name)


@rota.job()
async def aask(alias: str) -> None:
    """Ask a database, from a coroutine."""
    await sync_to_async(lambda: connections[alias].cursor().execute("SELECT 1"))()


met = asyncio.Barrier(2)


@rota.job()
async def meet() -> int:
    """Say in which thread the models of a coroutine are asked, while another one is at it."""
    await met.wait()
    thread = await sync_to_async(threading.get_ident)()
    await met.wait()
    return thread


@rota.job()
def leave_open(ctx: RunContext) -> None:
    """Begin a transaction and never end it."""
    transaction.atomic().__enter__()
    Item.objects.create(name="never committed")


@rota.job(per_tenant=True)
def count_items() -> int:
    """Count the items of a tenant."""
    return Item.objects.count()
