"""`rota backfill` and `rota backfills`: asked, followed, shown, changed."""

import re

import pytest

from rota.core.campaign import CampaignState
from tests.surfaces.conftest import an_app, data, error, run

WINDOW = ("--since", "-4h", "--until", "now")


@pytest.fixture
def asked(rota):
    """A backfill that nobody works at."""

    def ask(*words: str) -> str:
        result = rota("backfill", "sync", *WINDOW, "--yes", "--detach", "--json", *words)
        assert result.exit_code == 0, result.output
        return data(result)["campaign"]["id"]

    return ask


def test_a_preview_says_what_would_run_in_how_long_and_shows_the_first_and_the_last_slots(rota):  # R13
    result = rota("backfill", "sync", "--since", "-40h", "--until", "now", "--dry-run", "--rate", "60/m")

    assert result.exit_code == 0
    assert "40 slots × 3 tenants: 120 missing" in result.stdout
    assert "… 20 slots between …" in result.stdout
    assert "About 2m at" in result.stdout
    assert result.stdout.count("◇ 3 missing") == 20
    assert rota("backfills", "--json").exit_code == 0


@pytest.mark.parametrize(("words", "per_minute"), [("60/m", 60), ("2/s", 120), ("90/h", 1.5), ("5", 5), ("10/30s", 20)])
def test_a_rate_is_written_as_a_number_and_a_time(rota, words, per_minute):
    result = rota("backfill", "sync", *WINDOW, "--rate", words, "--yes", "--detach", "--json")

    assert data(result)["campaign"]["rate"] == per_minute


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--rate", "fast"], 2),
        (["--rate", "5/0s"], 2),
        (["--rate", "5/fortnight"], 2),
        (["--parallel", "0"], 2),
        (["--as-one", "--order", "new"], 2),
        (["--until", "2099-01-01"], 2),
        (["--until", "-9h"], 2),
        (["--tenant", "acmee"], 3),
        (["--exclude", "acmee"], 3),
    ],
)
def test_what_cannot_be_meant_is_said_and_nothing_is_started(rota, app, words, code):  # R63, R64
    result = rota("backfill", "sync", *WINDOW, "--yes", "--detach", "--json", *words)

    assert result.exit_code == code, result.output
    assert error(result)["message"]
    assert app.campaigns.list() == []


def test_without_a_terminal_a_large_backfill_needs_to_be_meant(rota, app):  # R64
    many = ("backfill", "sync", "--since", "2026-01-01", "--until", "now", "--dry-run", "--json")
    assert data(rota(*many))["total"] > 0

    result = rota("backfill", "sync", *WINDOW, "--detach")

    assert result.exit_code == 2
    assert "say --yes" in result.stderr
    assert app.campaigns.list() == []


def test_a_backfill_of_a_century_is_asked_about_soon_and_started_when_it_is_meant(rota, app):  # R13, R64
    century = ("backfill", "sync", "--since", "1926-01-01", "--until", "now", "--detach")

    looked = rota(*century, "--dry-run")
    refused = rota(*century)
    started = rota(*century, "--yes")

    assert "more than 333,333 slots × 3 tenants, of which the first 20,000 were looked at: 60,000 missing" in (
        looked.stdout
    )
    assert "at least 60,000 runs. Nothing was started" in looked.stdout
    assert "Start at least 60,000 runs? It may be more than 1,000,000." in refused.stderr
    assert refused.exit_code == 2
    assert "started: at least 60,000 runs" in started.stdout
    assert len(app.campaigns.list()) == 1


def test_whoever_detaches_where_no_worker_is_alive_is_told(rota):
    result = rota("backfill", "sync", *WINDOW, "--yes", "--detach")

    assert "no worker is alive, so nothing happens until one is: rota start" in result.stderr
    assert re.search(r"backfill \w{32} started: 12 runs\nrota backfills show \w{16}\n", result.stdout)


def test_a_backfill_that_is_followed_ends_with_0_when_all_succeeded(rota, app):  # R63
    with app.working(queues={"default": 0}, schedules=True):
        result = rota("backfill", "sync", *WINDOW, "--yes", "--json")

    assert result.exit_code == 0, result.output
    assert (data(result)["counts"], data(result)["campaign"]["state"]) == ({"succeeded": 12}, "done")


@pytest.mark.parametrize(("tenant", "code"), [("hooli", 1), ("acme,hooli", 6)])
def test_a_backfill_that_is_followed_ends_with_1_or_6_and_says_why(tmp_path, tenant, code):  # R63
    app = an_app()
    app.schedules.put("yearly", job="report", when="every day at 02:00", tenants=tuple(tenant.split(",")))
    window = ("--since", "2d", "--until", "now")

    with app.working(queues={"default": 0}, schedules=True):
        result = run(app, "backfill", "yearly", *window, "--yes", directory=tmp_path)

    assert result.exit_code == code, result.output
    assert re.search(r"2 × ValueError: no figures .*\(hooli\)", result.stdout)
    # What a tenant says never reaches the terminal as it is.
    assert "\x1b" not in result.stdout


def test_a_backfill_that_stops_ends_the_following_and_says_how_to_go_on(tmp_path):  # R13
    app = an_app()
    app.schedules.put("yearly", job="report", when="every day at 02:00", tenant="hooli")
    window = ("--since", "9d", "--until", "now")

    with app.working(queues={"default": 0}, schedules=True):
        result = run(app, "backfill", "yearly", *window, "--stop-after", "2", "--yes", directory=tmp_path)

    assert result.exit_code == 1, result.output
    assert "report stopped after" in result.stdout
    assert "runs failed, and it stops after 2" in result.stdout
    assert "go on:  rota backfills resume" in result.stdout


def test_backfills_are_listed_and_shown(rota, app, asked):  # R13
    name = asked("--reason", "outage", "--parallel", "2")
    app.tick()

    listed, shown = rota("backfills"), rota("backfills", "show", name[:16])

    assert re.search(rf"{name}  done\s+sync .*12/12 \(100 %\)\s+0 .*outage", listed.stdout)
    assert "mode missing, oldest first, 2 at once" in shown.stdout
    assert "runs      12 succeeded" in shown.stdout
    assert "slots     ●●●●\n" in shown.stdout
    assert data(rota("backfills", "show", name, "--json"))["row"]["done"] == 12


def test_a_backfill_is_paused_changed_resumed_and_cancelled(rota, app, asked):  # R13
    name = asked()

    paused = rota("backfills", "pause", name, "--reason", "disk full")
    changed = rota("backfills", "set", name, "--parallel", "2", "--rate", "60/m", "--json")
    unlimited = rota("backfills", "set", name, "--no", "rate", "--json")
    resumed = rota("backfills", "resume", name, "--json")
    cancelled = rota("backfills", "cancel", name, "--yes", "--reason", "wrong range", "--json")

    assert "is paused (disk full)" in paused.stdout
    assert (data(changed)["parallel"], data(changed)["rate"], data(unlimited)["rate"]) == (2, 60, None)
    assert data(resumed)["state"] == "planning"
    assert data(cancelled)["why"].endswith(": wrong range")
    assert app.campaigns.get(name).state is CampaignState.CANCELLED
    assert [row["action"] for row in data(rota("audit", "--action", "campaign.", "--json"))] == [
        "campaign.cancel", "campaign.resume", "campaign.set", "campaign.set", "campaign.pause", "campaign.start"
    ]  # fmt: skip
    assert rota("backfills", "resume", name).exit_code == 5
    assert rota("backfills", "show", "ffffffff").exit_code == 3
    assert rota("backfills", "set", name).exit_code == 2
