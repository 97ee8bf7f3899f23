"""What the shop does in the background, on the store that is beside its orders."""

from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from rota import JobContext, Rota
from rota.tenants import SQLiteDirectory
from shop.database import DATABASE, Order, work

FOLDER = Path("cities")
"""Each city that the shop delivers to has its stock in a database of its own."""

rota = Rota(DATABASE.render_as_string(hide_password=False), tenants=SQLiteDirectory(FOLDER))
rota.carry_job_context()


@rota.job(timeout="1m")
def confirm(order_id: int) -> None:
    """Confirm an order to whoever placed it."""
    with Session(work) as session, session.begin():
        session.get_one(Order, order_id).confirmed_for = JobContext.current().user_id or "a guest"


@rota.job(schedule="daily at 03:00", per_tenant=True)
def take_stock(city: Connection) -> dict[str, int]:
    """Count what is in stock in a city."""
    return {"items": city.execute(text("SELECT count(*) FROM stock")).scalar_one()}
