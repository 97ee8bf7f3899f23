"""`rota stale`, `rota ping`, `rota watchdog`: what has not happened in time, on the command line."""

import json

import pytest
from msgspec.structs import replace

from rota.core.watched import PingKind
from rota.errors import ConfigurationError
from rota.settings import load
from tests.clocks import FakeClock
from tests.surfaces.conftest import an_app, data
from tests.values import DAY, HOUR, MINUTE, NOON, a_progress


@pytest.fixture
def watched_app(noon_app):
    """The application whose hourly job has succeeded for acme at noon, and for globex yesterday."""
    noon_app.schedules.sync()
    noon_app.store.mark(a_progress(schedule="sync", tenant="acme", last_success=NOON), expected=None)
    noon_app.store.mark(a_progress(schedule="sync", tenant="globex", last_success=NOON - DAY), expected=None)
    return noon_app


def set_back(app, tenant):
    """Have a schedule older than what it succeeded with last."""
    [schedule] = app.store.schedules()
    app.store.drop_schedule("sync")
    app.store.put_schedule(replace(schedule, created_at=NOON - 30 * DAY), expected_version=None)


def test_what_is_stale_is_listed_and_ends_with_1(watched_app, noon_rota):  # R51, R63
    set_back(watched_app, "globex")

    found = noon_rota("stale", "--json")

    assert found.exit_code == 1
    [row] = data(found)
    assert (row["state"], row["job"], row["tenant"], row["age_s"], row["allowed_s"]) == (
        "stale", "sync", "globex", 86400, 8100,
    )  # fmt: skip


def test_a_schedule_says_how_old_a_success_may_be(watched_app, noon_rota):  # R51
    set_back(watched_app, "globex")
    watched_app.schedules.override("sync", fresh_within="26h")

    [row] = data(noon_rota("stale", "--all", "--tenant", "globex", "--json"))

    assert (row["age_s"], row["allowed_s"]) == (86400, 26 * 3600)
    assert row["state"] == "late"


def test_with_nothing_stale_it_ends_with_0_and_counts(watched_app, noon_rota):  # R51, R63
    found = noon_rota("stale", "--tenant", "acme,hooli")

    assert (found.exit_code, found.stdout.count("sync")) == (0, 0)
    assert "2 pairs of schedule and tenant: 1 new, 1 fresh" in found.stderr


def test_late_ends_with_1_where_asked(watched_app, noon_rota):  # R63
    watched_app.clock.tick(80 * MINUTE)

    assert noon_rota("stale", "--tenant", "acme").exit_code == 0
    assert noon_rota("stale", "--tenant", "acme", "--fail-on", "late").exit_code == 1


def test_all_are_listed_the_worst_first(watched_app, noon_rota):  # R51
    set_back(watched_app, "globex")

    rows = data(noon_rota("stale", "--all", "--json"))

    assert [(row["tenant"], row["state"]) for row in rows] == [("globex", "stale"), ("acme", "fresh"), ("hooli", "new")]


@pytest.mark.parametrize(("args", "code"), [(["--job", "snc"], 3), (["--tenant", "@nobody"], 3), (["--state", "x"], 2)])
def test_what_is_not_there_is_not_passed_over(watched_app, noon_rota, args, code):  # R64
    assert noon_rota("stale", *args).exit_code == code


# --- ping ---


@pytest.fixture
def dump(noon_app):
    noon_app.watch("nightly-dump", schedule="daily at 03:00", fresh_within="26h", description="mysqldump")
    return noon_app


def test_a_script_that_says_that_it_succeeded_is_fresh(dump, noon_rota):  # R51
    said = noon_rota("ping", "nightly-dump")

    assert (said.exit_code, said.stdout) == (0, "nightly-dump: success\n")
    [row] = data(noon_rota("stale", "--all", "--job", "nightly-dump", "--json"))
    assert (row["state"], row["schedule"], row["is_outside"]) == ("fresh", "nightly-dump", True)
    assert row["last_success"] == "2026-06-01T03:00:00Z"


def test_a_script_that_says_nothing_is_stale_in_the_end(dump, noon_rota):  # R51
    noon_rota("ping", "nightly-dump")
    dump.clock.tick(20 * HOUR)

    found = noon_rota("stale")

    assert found.exit_code == 1
    assert "nightly-dump" in found.stdout


def test_a_start_and_a_word_prove_nothing(dump, noon_rota):  # R51
    noon_rota("ping", "nightly-dump", "start")
    noon_rota("ping", "nightly-dump", "log", "--text", "half way")

    assert data(noon_rota("stale", "--all", "--job", "nightly-dump", "--json"))[0]["last_success"] is None


def test_a_start_opens_a_duration(dump, noon_rota):  # R51
    noon_rota("ping", "nightly-dump", "start")
    dump.clock.tick(90 * MINUTE)
    noon_rota("ping", "nightly-dump", "log", "--text", "half way")

    assert noon_rota("ping", "nightly-dump", "success").stdout == "nightly-dump: success after 1h30m\n"
    assert noon_rota("ping", "nightly-dump", "success").stdout == "nightly-dump: success\n"


def test_a_failure_is_counted_and_what_it_said_is_kept_without_passwords(dump, noon_rota):  # R51, R65
    noon_rota("ping", "nightly-dump", "fail", "--text", "mysql://ops:hunter2@db1 is away")

    [kept] = dump.pings.history("nightly-dump")
    assert (kept.kind, kept.text) == (PingKind.FAIL, "mysql://ops:***@db1 is away")
    assert data(noon_rota("stale", "--all", "--job", "nightly-dump", "--json"))[0]["failures"] == 1


def test_of_a_long_text_the_end_is_kept(dump):  # R51
    dump.pings.record("nightly-dump", "log", text="x" * 50_000 + "the end")

    [kept] = dump.pings.history("nightly-dump")
    assert (len(kept.text), kept.text[-7:]) == (10_000, "the end")


def test_an_unknown_name_is_refused_with_one_that_is_near(dump, noon_rota):  # R64
    refused = noon_rota("ping", "nigthly-dump")

    assert refused.exit_code == 3
    assert "no watched script 'nigthly-dump'" in refused.stderr
    assert "nightly-dump" in refused.stderr.partition("mean")[2]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "say schedule=, or fresh_within="),
        ({"fresh_within": "2 * interval"}, "say schedule=, or fresh_within="),
        ({"schedule": "daily at 03:00", "fresh_within": "0h"}, "longer than nothing"),
        ({"schedule": "daily at 03:00", "timeout": "soon"}, "timeout"),
        ({"schedule": "sometimes"}, "sometimes"),
    ],
)
def test_a_watch_that_says_too_little_is_refused(noon_app, fields, said):  # R64
    with pytest.raises((ConfigurationError, ValueError), match=said.replace("(", r"\(")):
        noon_app.watch("dump", **fields)


def test_a_name_is_watched_once(dump):  # R64
    with pytest.raises(ConfigurationError, match="declared already"):
        dump.watch("nightly-dump", fresh_within="1d")


def test_settings_watch_too(tmp_path):  # R51
    file = tmp_path / "rota.toml"
    file.write_text('[freshness.watch]\ndump = "daily at 03:00 Europe/Paris, within 26h"\nbeat = "within 10m"\n')
    app = an_app(clock=FakeClock(NOON), settings=load(file, env={}))

    beat, dump = app.pings.declared()

    assert (beat.name, beat.timing, str(beat.within)) == ("beat", None, "10m")
    assert (dump.name, str(dump.timing), str(dump.within)) == ("dump", "daily at 03:00 Europe/Paris", "1d2h")


def test_a_setting_that_cannot_be_read_is_named(tmp_path):  # R64
    file = tmp_path / "rota.toml"
    file.write_text('[freshness.watch]\ndump = "when it likes"\n')
    app = an_app(clock=FakeClock(NOON), settings=load(file, env={}))

    with pytest.raises(ConfigurationError, match=r"freshness\.watch\.dump"):
        app.pings.declared()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('default = "sometimes"', r"freshness\.default"),
        ('check_every = "0s"', r"freshness\.check_every"),
        ('dead_man_url = "ftp://x"', r"freshness\.dead_man_url"),
        ('dead_man_url = "http://hc.example.org/1"', r"freshness\.dead_man_url"),
        ('dead_man_url = "http://hc/1"\ndead_man_networks = ["x"]', r"freshness\.dead_man_networks"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(tmp_path, line, said):  # R64
    file = tmp_path / "rota.toml"
    file.write_text(f"[freshness]\n{line}\n")

    with pytest.raises(ConfigurationError, match=said):
        load(file, env={})


# --- watchdog ---


@pytest.fixture
def state_file(tmp_path):
    return tmp_path / "known.json"


def test_a_single_pass_writes_what_it_found_and_ends_with_1_when_something_is_stale(
    watched_app, noon_rota, state_file, tmp_path
):  # R51, R63
    set_back(watched_app, "globex")
    found = tmp_path / "found.json"

    # Quiet: of what is not well it tells all the same.
    looked = noon_rota("watchdog", "--once", "-q", "--state-file", str(state_file), "--write-json", str(found))

    assert looked.exit_code == 1
    assert "stale  sync / globex" in looked.stdout
    written = json.loads(found.read_text())
    assert {pair["tenant"]: pair["state"] for pair in written["pairs"]} == {
        "acme": "fresh", "globex": "stale", "hooli": "new",
    }  # fmt: skip
    assert found.stat().st_mode & 0o777 == 0o640


def test_a_single_pass_with_nothing_stale_ends_with_0(noon_app, noon_rota, state_file):  # R63
    noon_app.schedules.sync()

    looked = noon_rota("watchdog", "--once", "--state-file", str(state_file), "--json")

    assert looked.exit_code == 0
    assert json.loads(state_file.read_text())["checked_at"] == "2026-06-01T12:00:00Z"


def test_a_single_quiet_pass_with_nothing_late_prints_nothing(noon_app, noon_rota, state_file):  # R63
    noon_app.schedules.sync()

    looked = noon_rota("watchdog", "--once", "-q", "--state-file", str(state_file))

    assert (looked.exit_code, looked.stdout) == (0, "")


def test_a_single_pass_writes_the_status_page(watched_app, noon_rota, state_file, tmp_path):  # R51
    set_back(watched_app, "globex")

    noon_rota("watchdog", "--once", "--state-file", str(state_file), "--write-html", str(tmp_path / "freshness"))

    written = json.loads((tmp_path / "freshness" / "sync_fresh.json").read_text())
    assert {pair["tenant"]: pair["state"] for pair in written["pairs"]} == {
        "acme": "fresh", "globex": "stale", "hooli": "new",
    }  # fmt: skip
    assert "■ stale" in (tmp_path / "freshness" / "index.html").read_text()
