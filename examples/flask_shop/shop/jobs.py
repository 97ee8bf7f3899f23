"""What the shop does in the background."""

from sqlalchemy import func, select

from rota import JobContext
from shop.extensions import db, rota
from shop.models import Order, Stock


@rota.job(per_tenant=True, timeout="1m")
def confirm(order_id: int) -> None:
    """Confirm an order to whoever placed it, at the price of the city."""
    order = db.session.get_one(Order, order_id)
    order.price = db.session.get_one(Stock, order.item).price
    order.confirmed_for = JobContext.current().user_id or "a guest"
    db.session.commit()


@rota.job(schedule="daily at 02:00", executor="process")
def add_up() -> dict[str, int]:
    """Add up the orders of the day, in a process of its own."""
    return {"orders": db.session.scalar(select(func.count()).select_from(Order))}


@rota.job(schedule="daily at 03:00", per_tenant=True)
def take_stock() -> dict[str, int]:
    """Count what is in stock in a city."""
    return {"items": db.session.scalar(select(func.count()).select_from(Stock))}
