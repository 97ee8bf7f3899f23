"""Commands that run something, on a real application in this process."""

import json
import re
from datetime import timedelta

import pytest

from rota.core.model import State
from rota.queries import RoundQuery, RunQuery
from tests.surfaces.conftest import HOUR, NOON, an_app, data, run
from tests.values import claim, lost, settle_all


def states(app, **fields):
    return {run.tenant: str(run.state) for run in app.store.runs(RunQuery(**fields))}


def test_a_run_here_names_the_failed_tenants_with_the_first_line_of_the_error(rota):  # R23
    result = rota("run", "report", "--here")

    assert re.match(
        r"report finished in \d+\.\ds: 2 succeeded, 1 failed\n  hooli: ValueError: no figures", result.stdout
    )
    assert re.search(r"retry them:  rota retry [0-9a-f]{32}\n", result.stderr)


def test_a_run_is_for_the_tenants_that_are_named_tagged_and_not_excluded(rota, app):  # R24
    rota("run", "sync", "--tenant", "@gold,hooli", "--exclude", "globex", "--here")

    assert states(app) == {"acme": "succeeded", "hooli": "succeeded"}


@pytest.mark.parametrize(
    "words", [["run", "sync", "--tenant", ""], ["run", "sync", "--exclude", " ,"], ["reset", "sync", "--tenant", ""]]
)
def test_a_list_of_tenants_that_came_out_empty_is_nobody_and_not_everybody(rota, app, words):  # R64
    result = rota(*words, "--yes")

    assert result.exit_code == 2
    assert "name one, or leave the flag out" in result.stderr
    assert app.store.runs(RunQuery(kind=None)) == []


def test_a_dry_run_names_the_tenants_and_starts_nothing(rota, app):  # R24
    result = rota("run", "sync", "--exclude", "hooli", "--dry-run")

    assert result.stdout == "sync: 2 tenants: acme, globex. Nothing was started (--dry-run).\n"
    assert app.store.runs(RunQuery(kind=None)) == []


def test_what_is_said_to_wait_is_what_was_started(rota, app):  # R12, R24
    app.pauses.pause("tenant", "acme", reason="moves to db-3")

    assert "it waits" not in rota("run", "sync", "--exclude", "acme").stderr
    assert "it waits" not in rota("run", "broken").stderr
    assert "it waits: tenant acme is paused" in rota("run", "sync").stderr


def test_failed_tenants_are_made_up_by_one_command(rota, app):  # R24
    rota("run", "report", "--here")
    [failed] = data(rota("runs", "--state", "failed", "--json"))

    preview = rota("retry", failed["round_id"], "--dry-run", "--json")
    result = rota("retry", failed["round_id"])

    assert [row["tenant"] for row in data(preview)] == ["hooli"]
    assert result.stdout.startswith("1 run queued again")
    assert app.store.run(failed["id"]).run.state is State.QUEUED
    assert "attempt 1  failed" in rota("show", failed["id"]).stdout


def test_a_mistyped_tenant_of_a_round_is_said_and_not_that_nothing_has_failed(rota, app):  # R14
    round_id = app.start_run("report").id

    result = rota("retry", round_id, "--tenant", "hoolli")

    assert result.exit_code == 3
    assert "no tenant 'hoolli'; did you mean 'hooli'?" in result.stderr


def test_arguments_are_checked_before_anything_is_queued_and_reach_the_job(rota, app):  # R64
    refused = rota("enqueue", "report", "--tenant", "acme", "--arg", "year=soon")
    accepted = rota("enqueue", "report", "--tenant", "acme", "2024", "--in", "10m")

    assert "year: expected int, got str" in refused.stderr
    [queued] = app.store.runs(RunQuery())
    assert accepted.stdout == f"{queued.id}\n"
    assert json.loads(queued.args) == {"args": [], "kwargs": {"year": 2024}}
    assert queued.state is State.SCHEDULED


def test_waiting_gives_up_after_its_time_and_the_run_goes_on(rota, app):
    run_id = rota("enqueue", "broken", "--in", "1h").stdout.strip()

    result = rota("wait", run_id, "--timeout", "10ms")

    assert result.exit_code == 4
    assert "1 of 1 not over after 10ms" in result.stderr
    assert app.store.run(run_id).run.state is State.SCHEDULED


def test_a_backfill_shows_its_plan_runs_the_missing_slots_once_and_is_seen_in_the_slots(rota, app):  # R13
    window = ["--since", "-3h", "--until", "now"]

    planned = rota("backfill", "sync", *window, "--dry-run")
    started = rota("backfill", "sync", *window, "--yes", "--detach", "--json")
    app.tick()
    again = rota("backfill", "sync", *window, "--yes")

    assert re.search(r"◇ 3 missing\n.*9 runs\. Nothing was started \(--dry-run\)\.", planned.stdout, re.DOTALL)
    assert data(started)["preview"]["added"] == 9
    assert "There is nothing to do." in again.stdout
    assert data(rota("slots", "sync", "--since", "-3h", "--json"))[0]["counts"] == {"succeeded": 3}
    assert rota("slots", "sync", "--since", "-3h", "--missed").exit_code == 0


def test_missing_slots_are_named_and_end_with_1(rota):
    result = rota("slots", "sync", "--since", "-3h", "--missed", "--json")

    assert result.exit_code == 1
    assert [row["missing"] for row in data(result)] == [["acme", "globex", "hooli"]] * 3


def test_progress_is_marked_and_forgotten_by_hand(rota, app):  # R14
    marked = rota("mark-success", "sync", "--tenant", "acme", "--yes", "--json")
    forgotten = rota("reset", "sync", "--yes", "--json")

    assert [row["tenant"] for row in data(marked)] == ["acme"]
    assert data(forgotten) == {"forgotten": 1}
    assert app.store.progress() == []


def test_progress_without_a_terminal_is_a_line_per_tenth(rota, app):  # R63
    result = rota("run", "sync", "--here")

    assert re.search(r"sync  3/3  100 %  3 ok  0 failed", result.stderr)
    assert "\x1b" not in result.stderr


def test_progress_is_events_in_ndjson_and_nothing_in_json(rota):
    events = [json.loads(line) for line in rota("run", "sync", "--here", "-o", "ndjson").stdout.splitlines()]
    document = rota("run", "sync", "--here", "--json")

    assert events[-2]["event"] == "progress"
    assert (events[-2]["done"], events[-2]["total"], events[-2]["failed"]) == (3, 3, 0)
    assert data(document)["counts"] == {"succeeded": 3}
    assert document.stderr == ""


@pytest.mark.parametrize(("tenant", "level", "code"), [("acme", "ok", 0), ("hooli", "failed", 1)])
def test_the_verdict_turns_when_a_schedule_fails_for_a_tenant(tmp_path, tenant, level, code):
    app = an_app()
    app.schedules.put("yearly", job="report", when="every day at 02:00", tenants=(tenant,))
    run(app, "backfill", "yearly", "--since", "2d", "--until", "now", "--yes", "--detach", directory=tmp_path)
    app.tick()

    result = run(app, "status", "--json", directory=tmp_path)

    assert data(result)["lines"][1]["level"] == level
    assert result.exit_code == code


def test_a_tick_fires_what_is_due_and_works_it_off(tmp_path):
    app = an_app()
    app.schedules.put("often", job="sync", when="every second", tenant="acme")

    result = run(app, "tick", "--max", "20s", "--json", directory=tmp_path)

    assert result.exit_code == 0, result.output
    assert {row["state"] for row in data(result)["rounds"]} <= {"succeeded", "skipped"}


def test_a_quiet_tick_in_which_all_is_well_prints_nothing(rota):
    result = rota("tick", "-q")

    assert (result.exit_code, result.stdout) == (0, "")


def test_a_tick_tells_of_what_an_earlier_one_has_left_to_it(tmp_path):  # R23, R60, R63
    app = an_app()
    app.jobs["broken"].enqueue()

    result = run(app, "tick", "--max", "20s", directory=tmp_path)

    assert (result.stdout, result.exit_code) == ("broken  1 failed\n", 1)


def test_who_follows_what_does_not_move_is_told_once_where_to_ask_why(noon_app, noon_rota, monkeypatch):
    looks = iter([16, 16, 16])

    def sleep(_duration):
        seconds = next(looks, None)
        if seconds is None:
            raise KeyboardInterrupt
        noon_app.clock.tick(timedelta(seconds=seconds))

    monkeypatch.setattr("rota.cli.follow.sleep", sleep)

    result = noon_rota("run", "sync", "--follow")

    [told] = [line for line in result.stderr.splitlines() if "nothing has ended for 15s" in line]
    assert told.endswith(f"rota explain {noon_app.store.rounds(RoundQuery())[0].id}")


def test_the_next_slots_come_soonest_first_with_what_is_overdue(noon_app, noon_rota):
    noon_app.schedules.put("weekly", job="report", when="every monday at 06:00", tenant="acme")
    noon_app.schedules.sync()
    noon_app.clock.tick(HOUR * 1.5)

    rows = data(noon_rota("next", "--hours", "1", "--json"))

    assert [(row["schedule"], row["in_s"]) for row in rows] == [("sync", -1800.0), ("sync", 1800.0)]
    assert rows[0]["slot"] == (NOON + HOUR).isoformat().replace("+00:00", "Z")


def test_doctor_names_a_job_whose_runs_lose_their_workers_and_the_way_out(noon_app, noon_rota):  # fault row B9
    noon_app.jobs["report"].using(tenant="acme").enqueue()
    [held] = claim(noon_app.store)
    settle_all(noon_app.store, lost(held))

    [told] = [check for check in data(noon_rota("doctor", "--json")) if check["subject"] == "Runs"]

    assert (told["level"], told["fact"]) == ("warn", "report lost its worker in 1 of the last runs")
    assert "executor='process'" in told["fix"]


def test_doctor_names_the_jobs_without_a_description_and_a_schedule_that_is_broken(noon_app, noon_rota):  # R16
    checks = data(noon_rota("doctor", "--json"))

    [silent] = [check for check in checks if "without a description" in check["fact"]]
    assert silent == {
        "subject": "App",
        "level": "warn",
        "fact": "jobs without a description: broken",
        "fix": "give the function a docstring",
    }
    assert noon_rota("doctor").exit_code == 0
    assert noon_rota("doctor", "--fail-on", "warn").exit_code == 1


def test_retried_tenants_are_followed_to_their_end(rota, app):  # R24
    rota("run", "report", "--here")
    [failed] = data(rota("runs", "--state", "failed", "--json"))

    with app.working(queues={failed_queue(app, failed): 0}):
        result = rota("retry", failed["round_id"], "--follow")

    assert result.exit_code == 6
    assert "2 succeeded, 1 failed" in result.stdout
    assert "attempt 2  failed" in rota("show", failed["id"]).stdout


def failed_queue(app, row):
    return app.store.run(row["id"]).run.queue


def test_a_round_is_cancelled_as_a_whole_with_its_reason(rota, app):
    round_id = data(rota("run", "broken", "--json"))["round"]

    preview = rota("cancel", round_id, "--dry-run")
    result = rota("cancel", round_id, "--reason", "wrong day", "--json")

    assert "1 run would be cancelled" in preview.stdout
    assert len(data(result)) == 1
    [cancelled] = app.store.runs(RunQuery())
    assert (cancelled.state, cancelled.reason) == (State.CANCELLED, "wrong day")


def test_why_a_run_waits_is_said_with_the_way_out(rota):
    run_id = rota("enqueue", "broken").stdout.strip()

    lines = rota("explain", run_id[:12]).stdout.splitlines()

    assert lines == [f"run {run_id} of broken: queued", "  no worker is alive", "    -> rota start"]


def test_waiting_for_several_runs_tells_that_some_failed(rota, app):
    good = rota("enqueue", "sync", "--tenant", "acme").stdout.strip()
    bad = rota("enqueue", "broken").stdout.strip()

    with app.working(queues={"default": 0}):
        result = rota("wait", good, bad, "--timeout", "20s", "--json")

    assert result.exit_code == 6
    assert [row["state"] for row in data(result)] == ["succeeded", "failed"]


def test_a_run_is_enqueued_with_terms(noon_rota, noon_app):  # R32
    run_id = noon_rota("enqueue", "broken", "--expires", "1h", "--key", "customer 7", "--priority", "3").stdout.strip()

    run = noon_app.run(run_id).refresh()
    assert (run.expires_at, run.limit_key, run.priority) == (NOON + HOUR, "customer 7", 3)
    shown = noon_rota("show", run_id).stdout
    assert re.search(r"expires +2026-06-01 13:00", shown) and re.search(r"key +customer 7", shown)


def test_the_run_that_has_the_key_is_printed_in_place_of_another(noon_rota, noon_app):  # R32
    terms = ("enqueue", "broken", "--in", "1h", "--unique", "nightly")
    first = noon_rota(*terms).stdout.strip()

    again, as_json = noon_rota(*terms), noon_rota(*terms, "--json")
    refused = noon_rota(*terms, "--on-conflict", "raise")
    replacing = noon_rota(*terms, "--on-conflict", "replace").stdout.strip()

    assert again.stdout.strip() == first and "nothing was queued" in again.stderr
    assert data(as_json) == {"run": first, "existed": True}
    assert (refused.exit_code, first in refused.stderr) == (5, True)
    assert replacing != first
    assert noon_app.run(first).state is State.CANCELLED


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        (("--unique-for", "1h"), "needs a key"),
        (("--unique", "args", "--unique-for", "1h", "--unique-while", "open"), "one of the two"),
        (("--expires", "soon"), "no duration"),
        (("--in", "2h", "--expires", "1h"), "could never begin"),
        (("--in", "soon"), "no duration"),
        (("--priority", "9999999999"), "out of range"),
    ],
)
def test_terms_that_make_no_sense_queue_nothing(noon_rota, noon_app, terms, message):  # R64
    result = noon_rota("enqueue", "broken", *terms)

    assert (result.exit_code, message in result.stderr) == (2, True)
    assert noon_app.store.runs(RunQuery()) == []
