"""`--where`: runs by what they are, listed, run again and cancelled as of now (R38)."""

import json

import pytest

from rota.cli import searching
from rota.core.model import State
from rota.queries import RunQuery
from rota.views import search
from tests.surfaces.conftest import data
from tests.surfaces.test_cli_errors import AWAY, LOST, fail
from tests.values import DAY, HOUR, MINUTE, NOON, a_run, claim, ended, settle_all


@pytest.fixture
def known(noon_app):
    """Runs by name: what failed, waits, and succeeded."""
    made = {
        "lost": fail(noon_app, at=NOON - DAY, tenant="acme"),
        "away": fail(noon_app, AWAY, at=NOON - HOUR, job="sync", tenant="hooli"),
        "again": fail(noon_app, LOST, at=NOON - MINUTE, tenant="globex", attempt=2, max_attempts=3),
    }
    noon_app.store.enqueue([a_run(job="report", args='{"args":[],"kwargs":{"year":2025}}')], now=NOON)
    [done] = claim(noon_app.store)
    settle_all(noon_app.store, ended(done, now=NOON, started_at=NOON - MINUTE))
    waiting = a_run(job="report", tenant="acme", queue="slow", args='{"args":[],"kwargs":{"year":2026}}')
    noon_app.store.enqueue([waiting], now=NOON)
    return {name: made_run.id for name, made_run in made.items()} | {"done": done.id, "waiting": waiting.id}


def named(known, result):
    assert result.exit_code == 0, result.stderr
    names = {run_id: name for name, run_id in known.items()}
    return [names[row["id"]] for row in data(result)]


@pytest.mark.parametrize(
    ("where", "names"),
    [
        (["state:failed"], ["again", "away", "lost"]),
        (["-state:failed"], ["waiting", "done"]),
        (["state:failed -tenant:acme"], ["again", "away"]),
        (["tenant:@gold"], ["waiting", "again", "lost"]),
        (["-tenant:@gold"], ["done", "away"]),
        (["error:order"], ["again", "lost"]),
        (["error:order", "since:2h"], ["again"]),
        (["error:order until:2h"], ["lost"]),
        (["attempt:>1"], ["again"]),
        (["duration:>30s"], ["done"]),
        (["args.year:2026"], ["waiting"]),
        (["job:report -args.year:2026"], ["done"]),
        (["job:report job:sync"], []),
        (["state:failed state:queued"], []),
        (['tenant:"" job:report'], ["done"]),
    ],
)
def test_runs_are_found_by_what_they_are(known, noon_rota, where, names):  # R38
    words = [word for text in where for word in ("--where", text)]

    assert named(known, noon_rota("runs", *words, "--json")) == names


def test_flags_and_search_narrow_together(known, noon_rota):  # R38
    assert named(known, noon_rota("runs", "--job", "broken", "--where", "tenant:acme,hooli", "--json")) == ["lost"]


def test_pages_of_a_search_follow_one_another(known, noon_rota, monkeypatch):  # R38
    monkeypatch.setattr(search, "PAGE", 2)

    first = noon_rota("runs", "--where", "error:order", "--limit", "1", "--json")
    cursor = json.loads(first.stdout)["page"]["next"]
    second = noon_rota("runs", "--where", "error:order", "--limit", "1", "--cursor", cursor, "--json")

    assert (named(known, first), named(known, second)) == (["again"], ["lost"])


def test_a_search_that_has_looked_at_enough_says_so_and_where_to_go_on(known, noon_rota, monkeypatch):  # R38
    monkeypatch.setattr(search, "MOST", 3)
    monkeypatch.setattr(search, "PAGE", 2)

    shown = noon_rota("runs", "--where", "-job:report,sync", "--json")
    page = json.loads(shown.stdout)

    assert named(known, shown) == ["again"]
    assert "newest 3 runs only" in page["warnings"][0]
    assert named(
        known, noon_rota("runs", "--where", "-job:report,sync", "--cursor", page["page"]["next"], "--json")
    ) == ["lost"]
    assert named(known, noon_rota("runs", "--where", "-job:report,sync since:3d", "--json")) == ["again", "lost"]


def test_a_search_for_an_error_looks_only_at_what_one_ended(known, noon_rota, monkeypatch):  # R38
    monkeypatch.setattr(search, "MOST", 3)

    # Newer runs than these are there, and have none.
    assert named(known, noon_rota("runs", "--where", "error:order", "--json")) == ["again", "lost"]
    assert named(known, noon_rota("runs", "--where", "error:order state:queued", "--json")) == []


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("stat:failed", "did you mean state:?"),
        ("sync", "write word:value"),
        ("since:someday", "'someday' is no time"),
        ("args.password:x", "kept from view"),
    ],
)
@pytest.mark.parametrize("command", ["runs", "retry", "cancel", "failures"])
def test_a_search_that_cannot_be_read_changes_nothing_and_names_the_way_out(known, noon_rota, command, where, said):
    # R64, R65
    shown = noon_rota(command, "--where", where, "--yes")

    assert (shown.exit_code, shown.stdout) == (2, "")
    assert said in shown.stderr


def test_what_a_search_means_is_run_again_batch_by_batch(known, noon_app, noon_rota, monkeypatch):  # R32, R38
    monkeypatch.setattr(searching, "BATCH", 1)

    shown = noon_rota("retry", "--where", "error:order", "--yes", "--reason", "the orders are back", "--json")

    assert data(shown) == [known["again"], known["lost"]]
    assert noon_app.store.run(known["lost"]).run.state is State.QUEUED
    assert noon_app.store.run(known["away"]).run.state is State.FAILED


def test_who_retries_by_a_search_is_asked_with_count_and_instant(known, noon_app, noon_rota):  # R63
    shown = noon_rota("retry", "--where", "error:order")

    assert shown.exit_code == 2
    assert "Run 2 runs matching 'error:order' as of 2026-06-01 12:00:00 again?" in shown.stderr
    assert noon_app.store.run(known["lost"]).run.state is State.FAILED


def test_a_snapshot_that_does_not_hold_all_says_so(known, noon_rota, monkeypatch):  # R63
    monkeypatch.setattr(search, "MOST", 2)

    shown = noon_rota("retry", "--where", "state:failed since:3d", "--dry-run")

    assert "newest 2 runs only" in shown.stderr and "2 runs matching" in shown.stdout


def test_what_fails_after_the_snapshot_is_left_alone(known, noon_app, noon_rota, monkeypatch):  # R32
    later = []

    def fail_another(session, question):
        later.append(fail(noon_app, LOST).id)

    monkeypatch.setattr("rota.cli.session.Session.confirm", fail_another)

    shown = noon_rota("retry", "--where", "error:order", "--json")

    assert data(shown) == [known["again"], known["lost"]]
    assert noon_app.store.run(later[0]).run.state is State.FAILED


def test_what_is_not_as_it_was_any_more_is_skipped_and_counted(known, noon_app, noon_rota, monkeypatch):  # R32
    def retry_one(session, question):
        noon_app.retry([known["lost"]], reason="by hand")

    monkeypatch.setattr("rota.cli.session.Session.confirm", retry_one)

    shown = noon_rota("retry", "--where", "error:order")

    assert "1 run queued again, 1 skipped: they run again already" in shown.stdout


def test_what_a_search_means_is_cancelled(known, noon_app, noon_rota):  # R32
    shown = noon_rota("cancel", "--where", "job:report", "--yes", "--json")

    assert data(shown) == [known["waiting"]]
    assert noon_app.store.run(known["waiting"]).run.state is State.CANCELLED


@pytest.mark.parametrize("command", ["retry", "cancel"])
def test_a_dry_run_lists_and_changes_nothing(known, noon_app, noon_rota, command):  # R63
    before = noon_app.store.runs(RunQuery())

    shown = noon_rota(command, "--where", "job:broken,report", "--dry-run", "--json")

    assert shown.exit_code == 0 and len(data(shown)) in (1, 2)
    assert noon_app.store.runs(RunQuery()) == before


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["retry"], 2, "name runs or rounds, or say --where"),
        (["cancel"], 2, "name runs or rounds, or say --where"),
        (["retry", "0197", "--where", "job:sync"], 2, "and not both"),
        (["retry", "--where", "job:sync", "--tenant", "acme"], 2, "--where says all of it"),
        (["retry", "--where", "job:nobody", "--yes"], 5, "nothing to retry: 0 runs matching 'job:nobody'"),
        (["retry", "--where", "state:queued", "--yes"], 5, "nothing to retry"),
        (["cancel", "--where", "state:failed", "--yes"], 5, "nothing to cancel"),
    ],
)
def test_what_makes_no_sense_is_refused(known, noon_rota, args, code, said):  # R64
    shown = noon_rota(*args)

    assert (shown.exit_code, shown.stdout) == (code, "")
    assert said in shown.stderr
