"""What the shop does in the background."""

from rota import JobContext
from rota.integrations.django import rota
from shop.models import Order


@rota.job(timeout="1m")
def confirm(order_id: int) -> None:
    """Confirm an order to whoever placed it."""
    user_id = JobContext.current().user_id or "somebody"
    Order.objects.filter(pk=order_id).update(confirmed_by=f"job for {user_id}")


@rota.job(schedule="daily at 02:00", executor="process")
def add_up() -> dict[str, int]:
    """Add up the orders of the day, in a process of its own."""
    return {"orders": Order.objects.count()}
