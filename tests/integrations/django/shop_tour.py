"""Goes through examples/django_shop as its users do, and prints as JSON what it saw; a process of its own.

SHOP_DIR is an empty folder, SHOP_DATABASE the database.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import django

from tests.system.processes import children_of, wait_until

SHOP = Path(__file__).parents[3] / "examples" / "django_shop"
CITIES = 40


def set_up() -> None:
    """Set the project up, with a database for each city; one of them is no database."""
    sys.path.insert(0, str(SHOP))
    os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
    folder = Path(os.environ["SHOP_DIR"]) / "cities"
    folder.mkdir()
    for number in range(CITIES):
        city = sqlite3.connect(folder / f"city_{number:02}.db")
        city.execute("CREATE TABLE stock (item TEXT)")
        city.execute("INSERT INTO stock VALUES (?)", (f"tea {number}",))
        city.commit()
        city.close()
    (folder / "city_07.db").write_text("this is no database " * 100)
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def tour() -> dict[str, Any]:
    """Place orders, one of which is refused, and work them off."""
    from django.contrib.auth.models import User
    from django.test import Client
    from shop.models import Order

    from rota.integrations.django import rota
    from rota.queries import RunQuery

    browser = Client(raise_request_exception=False)
    user = User.objects.create(username="ana")
    browser.force_login(user)
    answer = browser.post("/orders/", {"item": "tea"})
    refused = browser.post("/orders/", {"item": ""})
    [waiting] = rota.store.runs(RunQuery(jobs=("confirm",)))
    joined = is_within_the_transaction()
    runs_of_orders = "/ops/jobs/api/v1/runs?job=confirm"
    as_a_customer = browser.get(runs_of_orders).status_code
    User.objects.filter(pk=user.pk).update(is_staff=True)
    as_staff = browser.get(runs_of_orders)
    rota.start_run("take_stock")
    rota.start_run("add_up")
    rota.tick()
    cities = rota.store.runs(RunQuery(jobs=("take_stock",), limit=100))
    [added] = rota.store.runs(RunQuery(jobs=("add_up",)))
    found = {
        "answers": [answer.status_code, refused.status_code],
        "run": answer.json()["run"] == waiting.id,
        "joined": joined,
        "operated": [as_a_customer, as_staff.status_code, len(as_staff.json()["data"])],
        "orders": [order.confirmed_for == str(user.pk) for order in Order.objects.all()],
        "cities": sum(str(run.state) == "succeeded" for run in cities),
        "down": [run.tenant for run in cities if str(run.state) != "succeeded"],
        "added": added.result,
    }
    rota.close()
    return found


def is_within_the_transaction() -> bool:
    """Return whether Django's own connection sees a run that is not committed yet, and nobody does afterwards."""
    from django.db import connection, transaction
    from shop.jobs import confirm

    from rota.integrations.django import rota

    with transaction.atomic(), connection.cursor() as cursor:
        run = confirm.enqueue(0)
        cursor.execute("SELECT count(*) FROM rota_runs WHERE id = %s", [run.id])
        [seen] = cursor.fetchone()
        transaction.set_rollback(True)
    return bool(seen == 1 and rota.store.run(run.id) is None)


def worked() -> dict[str, Any]:
    """Place orders while `manage.py rota start` works, and kill its workers in their midst."""
    from django.test import Client
    from shop.models import Order

    browser = Client()
    command = [sys.executable, str(SHOP / "manage.py"), "rota", "start", "--processes", "2"]
    with subprocess.Popen(command, cwd=os.environ["SHOP_DIR"]) as supervisor:
        try:
            place(browser, 10)
            wait_until(lambda: Order.objects.exclude(confirmed_for="").exists(), what="an order is confirmed")
            workers = children_of(supervisor.pid)
            place(browser, 10)
            for worker in workers:
                os.kill(worker, signal.SIGKILL)
            place(browser, 10)
            wait_until(lambda: not Order.objects.filter(confirmed_for="").exists(), what="all are")
        finally:
            supervisor.terminate()
    confirmed = Order.objects.exclude(confirmed_for="").count()
    return {"confirmed": confirmed, "killed": len(workers), "ended": supervisor.returncode}


def driven() -> dict[str, Any]:
    """Let two `cronrun --forever` make up what an hourly command missed in three hours, and end them."""
    from django.db import connection

    from rota.integrations.django import rota
    from rota.queries import RunQuery

    rota.schedules.sync()
    with connection.cursor() as cursor:
        ago = 3 * 3_600_000_000
        cursor.execute(
            "UPDATE rota_schedules SET cursor_at = cursor_at - %s, next_at = next_at - %s WHERE job = 'countorders'",
            [ago, ago],
        )

    def made_up() -> list[Any]:
        return [run for run in rota.store.runs(RunQuery(jobs=("countorders",))) if str(run.state) == "succeeded"]

    command = [sys.executable, str(SHOP / "manage.py"), "cronrun", "--forever", "--every", "10m"]
    both = [subprocess.Popen(command, cwd=os.environ["SHOP_DIR"]) for _ in range(2)]
    wait_until(lambda: len(made_up()) >= 3, what="the hours are made up")
    wait_until(lambda: all(is_ready_for(signal.SIGTERM, one.pid) for one in both), what="both listen")
    for one in both:
        one.terminate()
    ended = [one.wait(30) for one in both]
    runs = made_up()
    return {
        "hours": len({run.slot for run in runs}) >= 3,
        "once": len(runs) == len({run.slot for run in runs}) and all(run.attempt == 1 for run in runs),
        "ended": ended,
    }


def is_ready_for(number: signal.Signals, pid: int) -> bool:
    """Whether a process has a handler for a signal; one that is still starting is ended by it."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


def place(browser: Any, number: int) -> None:
    """Place so many orders."""
    for _ in range(number):
        assert browser.post("/orders/", {"item": "tea"}).status_code == 200


if __name__ == "__main__":
    set_up()
    print(json.dumps({"tour": tour, "worked": worked, "driven": driven}[sys.argv[1]]()))
