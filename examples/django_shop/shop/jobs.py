"""What the shop does in the background."""

from sqlalchemy import text

from rota import JobContext, RunContext
from rota.integrations.django import rota
from shop.models import Order


@rota.job(timeout="1m")
def confirm(order_id: int) -> None:
    """Confirm an order to whoever placed it."""
    user_id = JobContext.current().user_id or "a guest"
    Order.objects.filter(pk=order_id).update(confirmed_for=user_id)


@rota.job(schedule="daily at 02:00", executor="process")
def add_up() -> dict[str, int]:
    """Add up the orders of the day, in a process of its own."""
    return {"orders": Order.objects.count()}


@rota.job(schedule="daily at 03:00", per_tenant=True)
def take_stock(ctx: RunContext) -> dict[str, int]:
    """Count what is in stock in a city."""
    with ctx.tenant.begin() as db:
        return {"items": db.execute(text("SELECT count(*) FROM stock")).scalar_one()}
