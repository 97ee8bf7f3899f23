"""`rota rounds`, `rota show ROUND`, `rota retry ROUND`, `rota explain`."""

import re
import threading

import pytest

from rota import Retry, RunContext
from rota.core.model import State
from rota.queries import AuditQuery, RunQuery
from rota.views.runs import find_round
from tests.surfaces.conftest import HOUR, NOON, an_app, data, error, run


def a_round(rota):
    """Run `report` for all tenants, of which hooli fails, and return the id of the round."""
    rota("run", "report", "--here")
    return data(rota("rounds", "--json"))[0]["id"]


def test_a_round_is_shown_with_who_failed_why_and_how_long_it_took(rota):  # R23
    round_id = a_round(rota)

    shown = rota("show", round_id)
    detail = data(rota("show", round_id, "--json"))

    lines = shown.stdout.splitlines()
    assert lines[0] == f"round     {round_id}"
    assert "runs      2 succeeded, 1 failed" in lines
    assert any(line.startswith("  hooli: ValueError: no figures") for line in lines)
    assert re.search(r"^times     \S+ for all, half of them within \S+, 95 % within \S+$", shown.stdout, re.MULTILINE)
    assert re.search(r"^slowest   (\w+ \S+(, )?){3}$", shown.stdout, re.MULTILINE)
    assert shown.stderr == f"retry them:  rota retry {round_id}\n"
    assert (detail["round"]["state"], detail["times"]["count"], len(detail["slowest"])) == ("partial", 3, 3)
    [cause] = detail["causes"]
    assert (cause["count"], cause["tenants"]) == (1, ["hooli"])
    assert "\x1b" not in shown.stdout  # R65


def test_rounds_are_listed_newest_first_and_narrowed(noon_rota, noon_app):  # R63
    noon_app.start_run("sync")
    noon_app.clock.tick(HOUR)
    newest = noon_app.start_run("report")

    rows = data(noon_rota("rounds", "--json"))
    since = data(noon_rota("rounds", "--since", (NOON + HOUR).isoformat(), "--json"))
    of_job = data(noon_rota("rounds", "--job", "sync", "--json"))
    limited = noon_rota("rounds", "--limit", "1")

    assert [row["job"] for row in rows] == ["report", "sync"]
    assert [row["id"] for row in since] == [newest.id]
    assert [row["job"] for row in of_job] == ["sync"]
    assert f"more: --cursor {newest.id}" in limited.stderr + limited.stdout
    assert noon_rota("rounds", "--state", "failed", "--fail-empty").exit_code == 3


def test_a_retry_is_for_what_failed_of_the_tenants_and_states_that_are_named(rota, app):  # R24
    round_id = a_round(rota)

    def meant(*args):
        return [row["tenant"] for row in data(rota("retry", round_id, *args, "--dry-run", "--json"))]

    assert meant() == ["hooli"]
    assert sorted(meant("--state", "succeeded")) == ["acme", "globex"]
    assert meant("--state", "succeeded", "--tenant", "acme") == ["acme"]
    refused = rota("retry", round_id, "--tenant", "acme", "--json")
    assert (refused.exit_code, error(refused)["code"]) == (5, "refused")
    assert "nothing to retry" in error(refused)["message"]


def test_above_100_runs_a_retry_asks(tmp_path):  # R24
    app = an_app()
    ids = [handle.id for handle in app.jobs["broken"].enqueue_many([()] * 101)]
    app.cancel(ids)

    asked = run(app, "retry", *ids, directory=tmp_path)
    few = run(app, "retry", *ids[:100], directory=tmp_path)

    assert asked.exit_code == 2
    assert "Run 101 runs again?" in asked.stderr
    assert few.stdout.startswith("100 runs queued again")


# --- who did what ---


def audited(app):
    """Return what the audit has: action, target, door, reason."""
    return [(entry.action, entry.target, entry.via, entry.reason) for entry in app.store.audit(AuditQuery())]


def test_what_people_start_and_set_right_is_in_the_audit_with_who_and_why(noon_rota, noon_app):  # R12, R24
    run_id = noon_rota("enqueue", "broken").stdout.strip()
    noon_rota("run", "sync", "--canary", "acme", "--parallel", "2", "--reason", "new code")
    noon_rota("cancel", run_id, "--reason", "wrong day")
    noon_rota("retry", run_id, "--reason", "right after all")
    noon_rota("mark-success", "sync", "--tenant", "acme", "--reason", "done by hand", "--yes")
    noon_rota("reset", "sync", "--reason", "anew", "--yes")

    assert audited(noon_app) == [
        ("progress.reset", "sync", "cli", "anew"),
        ("progress.mark", "sync", "cli", "done by hand"),
        ("run.retry", run_id, "cli", "right after all"),
        ("run.cancel", run_id, "cli", "wrong day"),
        ("job.run", "sync", "cli", "new code"),
    ]
    assert all(entry.actor for entry in noon_app.store.audit(AuditQuery()))


def test_what_changed_nothing_is_not_in_the_audit(noon_rota, noon_app):  # R12
    assert noon_rota("reset", "sync", "--yes").exit_code == 0
    assert noon_rota("run", "sync", "--tenant", "acmee").exit_code == 3
    assert noon_rota("run", "sync", "--dry-run").exit_code == 0
    noon_app.cancel(["0" * 32])

    assert audited(noon_app) == []


# --- a canary, and places, with workers ---


def counting_app(tenants, *, failing=frozenset()):
    """Return an application whose job notes which tenants were run, and how many at once."""
    app = an_app()
    app = type(app)(app.store, tenants=tenants)
    lock, out, seen, most = threading.Lock(), [0], [], [0]

    @app.job(per_tenant=True, retry=Retry(attempts=1))
    def work(ctx: RunContext) -> None:
        with lock:
            out[0] += 1
            most[0] = max(most[0], out[0])
            seen.append(ctx.tenant.id)
        # Long enough for the others to begin, had they been let.
        threading.Event().wait(0.02)
        with lock:
            out[0] -= 1
        if ctx.tenant.id in failing:
            raise ValueError("no figures")

    return app, seen, most


TENANTS = [f"t{number}" for number in range(8)]


def test_a_canary_that_fails_spares_the_others_and_ends_with_1(tmp_path):  # R24
    app, seen, _ = counting_app(TENANTS, failing={"t5"})

    result = run(app, "run", "work", "--canary", "t5", "--here", directory=tmp_path)

    assert seen == ["t5"]
    assert result.exit_code == 1
    assert "1 failed, 7 cancelled" in result.stdout
    cancelled = app.store.runs(RunQuery(states=(State.CANCELLED,)))
    assert {one.reason for one in cancelled} == {"canary t5 failed: ValueError: no figures"}


def test_after_a_canary_that_succeeds_the_others_run(tmp_path):  # R24
    app, seen, _ = counting_app(TENANTS)

    result = run(app, "run", "work", "--canary", "t5", "--here", directory=tmp_path)

    assert result.exit_code == 0
    assert seen[0] == "t5"
    assert sorted(seen) == TENANTS


def test_no_more_of_a_round_run_at_once_than_it_has_places(tmp_path):  # R24, R35
    app, seen, most = counting_app(TENANTS)

    result = run(app, "run", "work", "--parallel", "2", "--here", directory=tmp_path)

    assert result.exit_code == 0, result.output
    assert sorted(seen) == TENANTS
    assert most == [2]


def test_without_places_more_run_at_once(tmp_path):
    app, _, most = counting_app(TENANTS)

    run(app, "run", "work", "--here", directory=tmp_path)

    assert most[0] > 2


# --- why is this not running ---


@pytest.mark.parametrize(
    ("args", "kind", "state"),
    [
        (["sync"], "job", "fine"),
        (["sync", "--tenant", "acme"], "job", "fine"),
        (["weekly"], "schedule", "fine"),
        (["sync", "--slot", "2026-06-01T13:00Z"], "slot", "to come"),
        (["report", "--tenant", "acme"], "job", "fine"),
    ],
)
def test_whatever_has_a_name_can_be_asked_about(noon_rota, noon_app, args, kind, state):  # R11
    noon_app.schedules.put("weekly", job="sync", when="every monday at 06:00", tenant="acme")
    noon_app.schedules.sync()

    why = data(noon_rota("explain", *args, "--json"))

    assert (why["kind"], why["state"], why["is_fine"]) == (kind, state, True)


def test_a_round_and_a_run_are_asked_about_by_the_beginning_of_their_ids(noon_rota, noon_app):
    round_ = noon_app.start_run("broken")
    [one] = noon_app.store.runs(RunQuery())

    of_round = data(noon_rota("explain", round_.id, "--json"))
    of_run = data(noon_rota("explain", one.id, "--json"))

    assert (of_round["kind"], of_run["kind"]) == ("round", "run")
    assert [reason["code"] for reason in of_run["reasons"]] == ["no_worker"]
    assert find_round(noon_app, round_.id) == find_round(noon_app, round_.id[:31])


def test_a_name_that_nothing_has_is_not_found_with_the_close_ones(noon_rota):  # R64
    result = noon_rota("explain", "snyc", "--tenant", "acme")

    assert result.exit_code == 3
    assert "did you mean 'sync'" in result.stderr


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["broken", "--tenant", "acme"], "job 'broken' is not per_tenant"),
        (["report", "--slot", "13:00"], "has no schedule"),
        (["sync", "--slot", "noonish"], "'noonish' is no time"),
    ],
)
def test_a_question_that_makes_no_sense_is_answered_with_what_would(noon_rota, args, told):  # R64
    result = noon_rota("explain", *args)

    assert result.exit_code == 2
    assert told in result.stderr


def test_a_job_that_is_called_like_a_timing_is_asked_about_by_its_name(tmp_path):
    app = an_app()

    @app.job(name="daily")
    def daily() -> None: ...

    assert run(app, "explain", "daily", directory=tmp_path).stdout.startswith("job daily: fine\n")
    assert run(app, "explain", "hourly", directory=tmp_path).stdout.startswith("every hour")


def test_reasons_are_neutralised_and_passwords_are_masked(noon_rota, noon_app):  # R65
    noon_app.start_run("report", tenants=["acme"])
    noon_app.pauses.pause("job", "report", reason="red \x1b[31m mysql://ops:hunter2@db1")

    shown = noon_rota("explain", "report").stdout

    assert "\\x1b[31m mysql://ops:***@db1" in shown
    assert "\x1b" not in shown
