"""What nobody else can tell: that nothing runs any more. Rows H5 and H6."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from tests.proxy import Mode
from tests.system.faults import SERVERS, between, on
from tests.system.processes import Site, kill_tree, wait_until

BEAT = """
@app.job(schedule=every(2).seconds, timeout="1s", fresh_within="6s")
def beat():
    note(event="beat")
"""
ALERT = "beat is stale, and the store is down"
WATCH = '\n[freshness]\ncheck_every = "1s"\n'


@pytest.fixture(params=SERVERS)
def ground(request, tmp_path):
    with on(request.param, request, tmp_path) as made:
        yield made


def be_quick(site: Site) -> None:
    """Have its watchdog look each second."""
    settings = site.folder / "rota.toml"
    settings.write_text(settings.read_text() + WATCH)


@contextmanager
def watching(site: Site) -> Iterator[subprocess.Popen[str]]:
    """Run `rota watchdog` beside what it watches."""
    with (site.folder / "log-watchdog").open("w") as log:
        process = subprocess.Popen(
            site.command("watchdog", "--notify", "--write-json", "found.json"),
            cwd=site.folder,
            env=site.environment(),
            stdout=log,
            stderr=log,
            text=True,
        )
        try:
            yield process
        finally:
            kill_tree(process)


def found(site):
    path = site.folder / "found.json"
    return json.loads(path.read_text()) if path.exists() else {"pairs": []}


def states(site):
    return {pair["schedule"]: pair["state"] for pair in found(site)["pairs"]}


def log(site):
    return (site.folder / "log-watchdog").read_text()


def when(site, key):
    return datetime.fromisoformat(found(site)[key])


def test_with_scheduler_worker_and_store_dead_the_watchdog_tells_in_time(ground):  # R51, fault row H5
    with between(ground) as (line, url):
        site = ground.site("site", url=url, jobs=BEAT)
        be_quick(site)
        with site.started() as work, watching(site) as dog:
            wait_until(lambda: states(site).get("beat") == "fresh", what="a success that is seen")

            kill_tree(work)
            killed_at = datetime.now(UTC)
            # It has seen the last success: of one that it learns of later only, it would rightly say `late` once more.
            wait_until(lambda: found(site)["store"] == "ok" and when(site, "known_at") > killed_at, what="a last look")
            line.to(Mode.REFUSE)
            line.reset()
            cut_at = datetime.now(UTC)
            wait_until(lambda: states(site).get("beat") == "stale", what="news of the silence")

            said = found(site)
            assert said["store"] != "ok"
            assert when(site, "known_at") < when(site, "at")
            # Stale after 6 s, found within a second, and the way to the store may take a few to fail.
            assert when(site, "at") - cut_at < timedelta(seconds=15)
            assert "→ stale (the store is down" in log(site)
            # The channel is told after the file is written.
            wait_until(lambda: ALERT in log(site), what="an alert")

            line.to(Mode.PASS)
            wait_until(lambda: found(site)["store"] == "ok", what="an answer of the store")
            assert states(site) == {"beat": "stale"}
            assert log(site).count(ALERT) == 1
            dog.send_signal(signal.SIGTERM)
            assert dog.wait(30) == 0


def test_the_file_of_a_watchdog_that_was_killed_grows_old_where_all_can_see(ground):  # R52, fault row H6
    site = ground.site("site", jobs=BEAT)
    be_quick(site)
    with watching(site) as dog:
        wait_until(lambda: "at" in found(site), what="a first look")
        wait_until(lambda: json.loads((site.folder / "rota-watchdog.json").read_text()), what="its file")
        dog.kill()
        dog.wait()

    first = json.loads((site.folder / "rota-watchdog.json").read_text())["checked_at"]

    assert datetime.fromisoformat(first) <= datetime.now(UTC)
    assert list(site.folder.glob(".rota-watchdog*")) == []
