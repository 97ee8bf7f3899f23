"""What the shop answers."""

from flask import Blueprint, abort, request, session

from rota.errors import TenantNotFound, TenantUnavailable
from rota.web import Role, User
from shop.extensions import db, rota
from shop.jobs import confirm
from shop.models import Order, Stock

pages = Blueprint("pages", __name__)


@pages.post("/login")
def login() -> dict[str, str]:
    """Take a visitor's word for who it is."""
    session["user"] = request.form["user"]
    return {"user": session["user"]}


@pages.post("/<city>/orders")
def place_order(city: str) -> dict[str, int | str]:
    """Keep an order, and have it confirmed: both or neither."""
    rota.enter_tenant(city)
    order = Order(city=city, item=request.form["item"])
    db.session.add(order)
    db.session.flush()
    run = confirm.using(tenant=city).enqueue(order.id)
    if db.session.get(Stock, order.item) is None:
        abort(409, f"{city} has no {order.item}")
    db.session.commit()
    return {"order": order.id, "run": run.id}


def viewer() -> User | None:
    """Return who looks at the runs: whoever is signed in, and sees those of all cities."""
    name = session.get("user")
    return None if name is None else User(name=name, role=Role.VIEWER, tenants=None)


@pages.errorhandler(TenantNotFound)
def no_such_city(_: TenantNotFound) -> tuple[str, int]:
    """Answer for a city that the shop is not in. Which others there are is nobody's business outside."""
    return "there is no shop in this city", 404


@pages.errorhandler(TenantUnavailable)
def closed(_: TenantUnavailable) -> tuple[str, int]:
    """Answer for a city whose database is down."""
    return "the shop in this city is closed", 503
