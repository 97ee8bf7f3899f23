"""Jobs of the tests."""

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
def leave_open(ctx: RunContext) -> None:
    """Begin a transaction and never end it."""
    from django.db import transaction

    transaction.set_autocommit(False)
    Item.objects.create(name="never committed")


@rota.job(per_tenant=True)
def count_items() -> int:
    """Count the items of a tenant."""
    return Item.objects.count()
