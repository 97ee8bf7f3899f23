"""`rota pause`, `rota resume`, `rota audit`."""

import re

from rota import Rota
from rota.stores.memory import MemoryStore
from tests.surfaces.conftest import data, run
from tests.values import HOUR


def test_a_pause_is_told_with_the_way_back_and_listed(noon_rota):  # R12
    paused = noon_rota("pause", "--tenant", "acme", "--reason", "moves", "--until", "+2h")
    listed = noon_rota("pause", "--json")

    assert re.fullmatch(
        r"tenant acme is paused until \S+ 14:00:00; to go on: rota resume --tenant acme\n", paused.stdout
    )
    [row] = data(listed)
    assert (row["kind"], row["name"], row["reason"]) == ("tenant", "acme", "moves")
    assert row["author"]


def test_a_schedule_is_paused_on_its_own_row_and_listed_with_the_others(noon_rota, noon_app):  # R12
    noon_app.schedules.sync()

    noon_rota("pause", "--schedule", "sync", "--reason", "migration")

    [row] = data(noon_rota("pause", "--json"))
    assert (row["kind"], row["name"], row["reason"]) == ("schedule", "sync", "migration")
    assert noon_rota("resume", "--schedule", "sync").exit_code == 0
    assert data(noon_rota("pause", "--json")) == []
    assert "nothing is paused" in noon_rota("pause").stderr


def test_resume_shows_how_to_make_up_what_was_not_fired(noon_app, noon_rota):  # R12
    noon_app.schedules.sync()
    noon_rota("pause", "sync", "--reason", "migration")
    noon_app.clock.tick(HOUR)

    resumed = noon_rota("resume", "sync")

    assert resumed.stdout.startswith("job sync goes on\n")
    assert "rota backfill sync --since 20" in resumed.stdout


def test_what_is_not_paused_cannot_be_resumed(noon_rota):  # R63
    assert noon_rota("resume", "sync").exit_code == 5


def test_a_second_pause_keeps_the_end_of_the_first_until_never(noon_rota):  # R12
    for what in (["sync"], ["--tenant", "acme"]):
        noon_rota("pause", *what, "--reason", "migration", "--until", "+2h")

        kept = noon_rota("pause", *what, "--reason", "still").stdout
        dropped = noon_rota("pause", *what, "--reason", "for good", "--until", "never").stdout

        assert "14:00:00" in kept
        assert "is paused; to go on" in dropped


def test_a_pause_of_a_tenant_under_its_own_command_keeps_the_end_too(noon_rota):  # R12
    noon_rota("tenants", "pause", "acme", "--reason", "moves", "--until", "+2h")
    noon_rota("tenants", "pause", "acme", "--reason", "still")

    assert "14:00:00" in noon_rota("pause").stdout


def test_a_queue_that_nothing_uses_is_paused_with_a_note(noon_rota, noon_app):  # R14
    typo = noon_rota("pause", "--queue", "defualt", "--reason", "flood")
    right = noon_rota("pause", "--queue", "default", "--reason", "flood")

    assert typo.exit_code == 0
    assert "no job here and no open run uses the queue 'defualt'" in typo.stderr
    assert "did you mean 'default'" in typo.stderr
    assert "uses the queue" not in right.stderr


def test_a_pause_names_one_thing_and_has_a_reason(noon_rota):  # R64
    both = noon_rota("pause", "sync", "--tenant", "acme", "--reason", "x")
    none = noon_rota("pause", "sync")

    assert (both.exit_code, none.exit_code) == (2, 2)
    assert "name one thing" in both.stderr
    assert "--reason is needed" in none.stderr


def test_a_name_that_came_out_empty_pauses_nothing_and_says_so(noon_rota):  # R64
    for words in (["pause", "--tenant", "", "--reason", "moves"], ["pause", ""], ["resume", "--queue", ""]):
        refused = noon_rota(*words)

        assert refused.exit_code == 2, words
        assert "name one thing" in refused.stderr


def test_a_misspelt_job_is_not_found(noon_rota):  # R14
    result = noon_rota("pause", "snyc", "--reason", "x")

    assert result.exit_code == 3
    assert "did you mean 'sync'" in result.stderr


def test_the_audit_says_who_did_what_to_what_and_why(noon_rota):  # R12
    noon_rota("pause", "sync", "--reason", "migration")
    noon_rota("resume", "sync")
    noon_rota("pause", "--queue", "mail", "--reason", "flood\x1b[31m")

    rows = data(noon_rota("audit", "--json"))
    jobs = data(noon_rota("audit", "--action", "job.", "--json"))

    assert [row["action"] for row in rows] == ["queue.pause", "job.resume", "job.pause"]
    assert [row["action"] for row in jobs] == ["job.resume", "job.pause"]
    assert {row["via"] for row in rows} == {"cli"}
    assert "\x1b" not in noon_rota("audit").stdout  # R65


def test_a_tenant_can_be_paused_while_the_tenants_cannot_be_listed(tmp_path):  # R12, R20
    def away():
        raise OSError("no route to host")

    app = Rota(MemoryStore(), tenants=away)

    paused = run(app, "pause", "--tenant", "acme", "--reason", "its database burns", directory=tmp_path)

    assert "no route to host" in paused.stderr
    assert [pause.name for pause in app.pauses.list()] == ["acme"]
    assert run(app, "resume", "--tenant", "acme", directory=tmp_path).exit_code == 0
    assert app.pauses.list() == []
