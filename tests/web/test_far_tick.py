"""`rota tick --url`: what stands in a crontab on a machine without the application."""

import json

import pytest
from msgspec.structs import replace

from rota import Rota
from rota.core.policy import Retry
from tests.values import MINUTE
from tests.web.far import InProcess, run_far


def good() -> None: ...


def fail() -> None:
    raise ValueError("no report today")


def a_site(**jobs) -> Rota:
    app = Rota("memory://", tenants=["acme"])
    for name, does in jobs.items():
        app.job(name=name, schedule="every minute", retry=Retry(attempts=1))(does)
    app.schedules.sync()
    for known in app.store.schedules():
        slot = known.next_at - MINUTE
        back = replace(known, next_at=slot, cursor=slot - MINUTE, version=known.version + 1)
        app.store.put_schedule(back, expected_version=known.version)
    return app


def tick(app: Rota, *words: str):
    return run_far(app, InProcess(app), "tick", *words)


@pytest.mark.parametrize(
    ("jobs", "code"),
    [({}, 0), ({"good": good}, 0), ({"bad": fail}, 1), ({"good": good, "bad": fail}, 6)],
    ids=["nothing", "good", "bad", "both"],
)
def test_it_ends_as_the_pass_did(jobs, code):  # R60, R63
    assert tick(a_site(**jobs)).exit_code == code


def test_it_says_what_the_pass_did():  # R60
    told = json.loads(tick(a_site(good=good), "--json").stdout)

    assert (told["schema"], told["data"]["fired"], told["data"]["succeeded"]) == ("rota.pass/1", 1, 1)


def test_a_pass_without_work_is_good():
    result = tick(a_site(bad=fail), "--no-work")

    assert (result.exit_code, result.stdout) == (0, "bad  1 fired, 1 open\n")
