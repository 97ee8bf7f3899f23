"""A disk that is full: writes are refused with a clear error, and go on when there is room again, without a restart."""

import resource
import signal
import subprocess

import pytest

from rota.core.model import State
from tests.system.faults import events, on
from tests.system.processes import end, wait_until

WORK = """
from datetime import timedelta


@app.job(retry=Retry(attempts=5, base=timedelta(0)))
def work(number: int = 0, text: str = "") -> int:
    note(event="start", number=number)
    return number
"""


@pytest.fixture
def ground(request, tmp_path):
    with on("sqlite", request, tmp_path) as made:
        yield made


def limit(pid: int, size: int) -> None:
    """Let a process write no file beyond `size` bytes: to it, the disk is full there."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_a_full_disk_is_said_and_work_goes_on_when_there_is_room_again(ground):  # C6, G1
    site = ground.site(jobs=WORK)
    with site.started("--processes", "1") as process:
        site.rota("enqueue", "work", "1")
        wait_until(lambda: events(site, "start"), what="the first start")
        [first] = events(site, "start")
        worker = int(first["pid"])

        # Enough for its log and its journal, and not for what a transaction adds to the store.
        limit(worker, 12 << 10)
        handle = site.rota("enqueue", "work", "2").stdout.strip()
        wait_until(lambda: "again in" in site.logs(), what="the error in the log")
        assert process.poll() is None
        limit(worker, resource.RLIM_INFINITY)

        wait_until(
            lambda: [run.state for run in ground.everything()] == [State.SUCCEEDED] * 2, what="both, without a restart"
        )
        assert {int(line["pid"]) for line in events(site, "start")} == {worker}, "nobody was restarted"
        assert end(process, signal.SIGTERM) == 0
    assert handle in {run.id for run in ground.everything()}


def test_who_asks_while_the_disk_is_full_is_told_and_nothing_is_half_written(ground):  # C6, R64
    site = ground.site(jobs=WORK)
    site.rota("enqueue", "work", "1")

    refused = subprocess.run(
        site.command("enqueue", "work", "2"),
        cwd=site.folder,
        env=site.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: limit(0, 4096),
    )

    assert (refused.returncode, "Traceback" in refused.stderr) == (4, False), refused.stderr
    assert "disk" in refused.stderr.lower() or "full" in refused.stderr.lower() or "i/o" in refused.stderr.lower()
    assert len(ground.everything()) == 1
    # The file is sound, and takes writes as soon as there is room.
    site.rota("enqueue", "work", "3")
    assert len(ground.everything()) == 2
