"""Goes through examples/flask_shop as its users do, and prints as JSON what it saw; a process of its own.

SHOP_DIR is an empty folder, SHOP_DATABASE the database of the shop, of SQLite where it is not said.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import func, select, text

from tests.system.processes import children_of, wait_until

EXAMPLE = Path(__file__).parents[3] / "examples" / "flask_shop"
CITIES = [f"city_{number:02}" for number in range(40)]
DOWN = "city_07"


def set_up() -> Flask:
    """Set the shop up, in forty cities; the database of one of them is none."""
    sys.path.insert(0, str(EXAMPLE))
    from shop import create_app

    app = create_app()
    runner = app.test_cli_runner()
    for words in (["database", "create"], ["rota", "db", "upgrade"], ["database", "open", CITIES[0]]):
        done = runner.invoke(args=words)
        assert done.exit_code == 0, done.output
    folder = Path(app.instance_path, "cities")
    for city in CITIES[1:]:
        shutil.copy(folder / f"{CITIES[0]}.db", folder / f"{city}.db")
    (folder / f"{DOWN}.db").write_text("this is no database " * 100)
    return app


def tour(app: Flask) -> dict[str, Any]:
    """Place orders, two of which are refused, and work them off."""
    from shop.extensions import rota

    from rota.queries import RunQuery

    browser = app.test_client()
    browser.post("/login", data={"user": "ana"})
    answers = [
        browser.post(f"/{city}/orders", data={"item": item})
        for city, item in (
            ("city_01", "tea"),
            ("city_02", "tea"),
            ("city_02", "milk"),
            (DOWN, "tea"),
            ("city_99", "tea"),
        )
    ]
    waiting = rota.store.runs(RunQuery(jobs=("confirm",)))
    joined = is_within_the_transaction(app)
    rota.start_run("take_stock")
    rota.start_run("add_up")
    rota.tick()
    cities = rota.store.runs(RunQuery(jobs=("take_stock",), limit=100))
    [added] = rota.store.runs(RunQuery(jobs=("add_up",)))
    looked = browser.get("/rota/api/v1/jobs").json
    found = {
        "answers": [answer.status_code for answer in answers],
        "runs": {run.id for run in waiting} == {answer.json["run"] for answer in answers[:2]},
        "joined": joined,
        "orders": orders(app),
        "cities": sum(str(run.state) == "succeeded" for run in cities),
        "down": [run.tenant for run in cities if str(run.state) != "succeeded"],
        "added": added.result,
        "seen": sorted(job["name"] for job in looked["data"]),
    }
    rota.close()
    return found


def orders(app: Flask) -> list[list[Any]]:
    """Return the orders, with the price that is that of the city."""
    from shop.extensions import db
    from shop.models import Order

    with app.app_context():
        rows = db.session.execute(select(Order.city, Order.price, Order.confirmed_for).order_by(Order.id))
        return [list(row) for row in rows]


def is_within_the_transaction(app: Flask) -> bool:
    """Return whether the session of a request sees a run that is not committed yet, and nobody does afterwards."""
    from shop.extensions import db, rota
    from shop.jobs import confirm
    from shop.models import Order

    with app.app_context(), rota.tenant("city_01"):
        db.session.add(Order(city="city_01", item="tea"))
        run = confirm.using(tenant="city_01").enqueue(0)
        shop = {"bind": db.engines["shop"]}
        seen = db.session.scalar(text("SELECT count(*) FROM rota_runs"), bind_arguments=shop)
        db.session.rollback()
    return bool(seen and rota.store.run(run.id) is None)


def worked(app: Flask) -> dict[str, Any]:
    """Place orders while `flask rota start` works, and kill its workers in their midst."""
    from shop.extensions import db
    from shop.models import Order

    def confirmed() -> int:
        with app.app_context():
            return db.session.scalar(select(func.count(Order.confirmed_for))) or 0

    browser = app.test_client()
    command = [sys.executable, "-m", "flask", "--app", str(EXAMPLE / "shop"), "rota", "start", "--processes", "2"]
    with subprocess.Popen(command, cwd=os.environ["SHOP_DIR"]) as supervisor:
        try:
            place(browser, 10)
            wait_until(lambda: confirmed() > 0, what="an order is confirmed")
            workers = children_of(supervisor.pid)
            place(browser, 10)
            for worker in workers:
                os.kill(worker, signal.SIGKILL)
            place(browser, 10)
            wait_until(lambda: confirmed() == 30, what="all are")
        finally:
            supervisor.terminate()
    return {"confirmed": confirmed(), "killed": len(workers), "ended": supervisor.returncode}


def place(browser: Any, number: int) -> None:
    """Place so many orders, in as many cities."""
    for city in CITIES[10 : 10 + number]:
        assert browser.post(f"/{city}/orders", data={"item": "tea"}).status_code == 200


if __name__ == "__main__":
    print(json.dumps({"tour": tour, "worked": worked}[sys.argv[1]](set_up())))
