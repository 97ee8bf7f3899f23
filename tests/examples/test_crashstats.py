"""The example with a crontabber's list: a week of it on a clock of its own, and the loop as a process."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from compose_spec import PyCompose
from dockerfile_parse import DockerfileParser

from tests.house.source import ROOT
from tests.integrations.test_sentry import Ingest
from tests.receiver import answered, receiving
from tests.system.processes import end, kill_tree, wait_until

PROJECT = ROOT / "examples" / "crashstats"


@pytest.fixture
def ingest():
    with receiving(answered(200, b'{"id": "1"}')) as receiver:
        yield Ingest(receiver)


@pytest.fixture
def environment(ingest, tmp_path):
    found = Path(sys.executable).parent
    return {
        **os.environ,
        "PATH": f"{found}{os.pathsep}{os.environ['PATH']}",
        "CRASHSTATS_DIR": str(tmp_path),
        "SENTRY_DSN": ingest.dsn,
    }


# --- a week ---


def test_each_slot_of_a_week_is_accounted_for_and_each_failure_one_event(environment, ingest):  # R8, R9, R14, R54
    done = subprocess.run(
        [sys.executable, "-m", "tests.examples.crashstats_week"],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    week = json.loads(done.stdout.splitlines()[-1])

    # Backfill: an outage of three days, with a day in its midst that failed twice until it was mended. The 27th was
    # taken as done.
    assert week["reports"] == {
        "2026-03-22": 0, "2026-03-23": 24, "2026-03-24": 24, "2026-03-25": 24, "2026-03-26": 24, "2026-03-28": 24,
    }  # fmt: skip
    assert [state for _, state in sorted(week["slots"]["dailyreport"].items())] == [
        *["succeeded"] * 5, "cancelled", "succeeded",
    ]  # fmt: skip
    assert week["said"]["marked"] == "dailyreport: succeeded until 2026-03-28 02:00:00+00:00\n"
    # Without backfill the newest of what was missed runs, and is all that is needed: it looks at what came since the
    # last success. One slot was given up when the command was reset.
    assert week["slots"]["purgecrashes"]["2026-03-26T04:00:00Z"] == "skipped"
    assert week["slots"]["purgecrashes"]["2026-03-27T04:00:00Z"] == "succeeded"
    assert sum(week["hours"].values()) == 7 * 24 - 1
    assert set(week["hours"]) == {"succeeded", "skipped", "cancelled"} and week["hours"]["cancelled"] == 1
    # All but the one that never got a name; "unreadable" is one.
    assert week["signatures"] == week["crashes"] - 1
    assert (
        "  failures      2\n  last run      failing, of 2026-03-26 02:00:00\n  last error    CommandError: 1 cr"
        in (week["said"]["friday"])
    )
    assert week["said"]["set back"] == "nothing was due\n"
    # Once per failure: each pass in which it failed.
    assert [event["tags"]["slot"][:10] for event in ingest.events()] == ["2026-03-26"] * 2 + ["2026-03-28"] * 3
    assert len({event["event_id"] for event in ingest.events()}) == week["failed passes"] == 5
    assert week["unknown"] == []


# --- the loop ---


def manage(environment, *words):
    return subprocess.run(
        [str(PROJECT / "bin" / "entrypoint.sh"), "python", "manage.py", *words],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def signatures(folder):
    with closing(sqlite3.connect(folder / "crashstats.sqlite3")) as connection:
        return [text for (text,) in connection.execute("SELECT text FROM crashes_signature")]


def test_the_container_goes_on_for_ever_reports_what_fails_and_ends_when_it_is_told(environment, ingest, tmp_path):
    # R45, R54
    often = ["rota", "schedules", "override", "newsignatures", "--when", "every 1 second"]
    for words in (["migrate", "-v0"], ["cronlist"], often):
        assert manage(environment, *words).returncode == 0
    now = datetime.now(UTC)
    with closing(sqlite3.connect(tmp_path / "crashstats.sqlite3")) as connection, connection:
        # One that nobody can read.
        crashes = [("OOM", now.isoformat(" ")), ("", now.isoformat(" "))]
        connection.executemany("INSERT INTO crashes_crash (signature, crashed_at) VALUES (?, ?)", crashes)

    crontabber = subprocess.Popen(
        [str(PROJECT / "bin" / "entrypoint.sh"), "crontabber"],
        env=environment | {"CRON_EVERY": "1s"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until(lambda: signatures(tmp_path) == ["OOM"], what="the loop runs what is due")
        # Beside it, and whichever of the two takes it.
        failed = manage(
            environment,
            "cronrun",
            "--job=dailyreport",
            "--force",
            f"--job-arg=run-time={(now + timedelta(days=1)).isoformat()}",
        )
        ended = end(crontabber, signal.SIGTERM)
    finally:
        kill_tree(crontabber)

    assert ended == 0
    assert (failed.returncode, failed.stdout) == (1, "0 succeeded, 1 failed\n"), failed.stderr
    [event] = ingest.events()
    assert event["exception"]["values"][0]["value"].endswith("have no signature")
    assert event["tags"]["job"] == "dailyreport"


# --- the image ---


def test_the_image_runs_the_crontabber_unless_told_otherwise_and_needs_no_root(tmp_path):
    read = DockerfileParser(path=str(tmp_path))
    read.content = (PROJECT / "Dockerfile").read_text()
    lines = {line["instruction"]: line["value"] for line in read.structure}

    assert (json.loads(lines["ENTRYPOINT"]), json.loads(lines["CMD"])) == (["bin/entrypoint.sh"], ["crontabber"])
    assert (lines["USER"], lines["STOPSIGNAL"]) == ("1000:1000", "SIGTERM")
    assert os.access(PROJECT / "bin" / "entrypoint.sh", os.X_OK)


def test_the_compose_file_starts_the_crontabber_once_the_tables_are_there():
    told = yaml.safe_load((PROJECT / "compose.yaml").read_text())

    PyCompose.from_yaml(yaml.safe_dump(told))
    assert told["services"]["crontabber"]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    assert told["services"]["crontabber"]["command"] == ["crontabber"]
