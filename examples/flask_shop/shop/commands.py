"""`flask --app shop database create`, and a city to try it with."""

from pathlib import Path

import click
from flask import Blueprint, current_app

from shop.extensions import db, rota
from shop.models import Stock

database = Blueprint("database", __name__)


@database.cli.command("create")
def create() -> None:
    """Make the tables of the shop."""
    Path(current_app.instance_path).mkdir(exist_ok=True)
    db.create_all("shop")


@database.cli.command("open")
@click.argument("city")
def open_city(city: str) -> None:
    """Open the shop in a city, with some tea."""
    folder = Path(current_app.instance_path, "cities")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{city}.db").touch()
    with rota.tenant(city) as tenant:
        db.metadata.create_all(tenant.engine)
        db.session.merge(Stock(item="tea", price=len(city)))
        db.session.commit()
