"""What the shop keeps, and what each city."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from shop.extensions import db


class Order(db.Model):
    """Somebody wants something. In the database of the shop."""

    __bind_key__ = "shop"

    id: Mapped[int] = mapped_column(primary_key=True)
    city: Mapped[str] = mapped_column(String(100))
    item: Mapped[str] = mapped_column(String(100))
    price: Mapped[int | None]
    confirmed_for: Mapped[str | None] = mapped_column(String(100))


class Stock(db.Model):
    """What there is, and what it costs. In the database of the city."""

    item: Mapped[str] = mapped_column(String(100), primary_key=True)
    price: Mapped[int]
