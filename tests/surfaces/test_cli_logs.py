"""`rota logs`: what a run printed and logged, harmless, by attempt, while it runs. (R44)"""

import json
import threading
from datetime import timedelta

import pytest

from rota.cli.commands import logs as command
from rota.core.model import LogChunk, LogLine, Note
from tests.surfaces.conftest import HOSTILE, an_app, data, error, run
from tests.values import HOUR, NOON, SECOND, a_run, claim, failed, settle_all, succeeded


@pytest.fixture
def store(noon_app):
    return noon_app.store


def running(store, *, now=NOON, **fields):
    store.enqueue([a_run(**fields)], now=now)
    [claimed] = claim(store, now=now)
    return claimed


def says(store, of, *texts, number=0, left_out=0, level="INFO", source="stdout", after=SECOND, **fields):
    lines = tuple(LogLine(at=of.claimed_at + after, level=level, source=source, text=text) for text in texts)
    chunk = LogChunk(run_id=of.id, token=of.token, number=number, lines=lines, left_out=left_out)
    store.note([Note(run_id=of.id, token=of.token, chunks=(chunk,), **fields)], now=NOON)


def two_attempts(store):
    """Return a run that said something in each of two attempts."""
    first = running(store, max_attempts=2)
    says(store, first, "fetching", "3 mails")
    says(store, first, "no route", number=1, level="ERROR", source="app.mail", after=timedelta(seconds=12.34))
    settle_all(store, failed(first, now=NOON + SECOND * 13))
    store.promote(now=NOON + HOUR)
    [second] = claim(store, now=NOON + HOUR)
    says(store, second, "fetching")
    return second


def test_lines_have_their_time_since_the_start_their_level_and_their_source(noon_rota, store):  # R44
    of = running(store)
    says(store, of, "3 mails")
    says(store, of, "no route", number=1, level="ERROR", source="app.mail", after=timedelta(seconds=12.34))

    result = noon_rota("logs", of.id)

    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["t+1.0s", "info", "stdout", "3", "mails"],
        ["t+12.3s", "error", "app.mail", "no", "route"],
    ]


def test_the_time_of_day_is_shown_in_the_zone_that_is_asked_for(noon_rota, store):
    of = running(store)
    says(store, of, "hello")

    assert "2026-06-01 12:00:01.000" in noon_rota("logs", of.id, "--times").stdout
    assert "2026-06-01 14:00:01.000" in noon_rota("logs", of.id, "--times", "--tz", "Europe/Paris").stdout


def test_attempts_are_apart(noon_rota, store):
    of = two_attempts(store)

    lines = noon_rota("logs", of.id).stdout.splitlines()

    assert [line for line in lines if line.startswith("---")] == ["--- attempt 2 ---"]
    assert lines.index("--- attempt 2 ---") == 3
    assert lines[4].split() == ["t+1.0s", "info", "stdout", "fetching"]


def test_the_beginning_of_an_id_is_enough(noon_rota, store):
    of = running(store)
    says(store, of, "hello")

    assert "hello" in noon_rota("logs", of.id[:16]).stdout


def test_a_run_that_is_not_there_is_not_found(noon_rota):
    result = noon_rota("logs", "f" * 32, "--json")

    assert result.exit_code == 3
    assert error(result)["code"] == "run_not_found"


@pytest.mark.parametrize(
    ("level", "texts"),
    [("debug", ["fetching", "3 mails", "no route", "fetching"]), ("warn", ["no route"]), ("ERROR", ["no route"])],
)
def test_only_lines_that_are_severe_enough_are_shown(noon_rota, store, level, texts):
    of = two_attempts(store)

    assert [row["text"] for row in data(noon_rota("logs", of.id, "--level", level, "--json"))["lines"]] == texts


def test_only_the_last_lines_are_shown_and_how_many_are_not(noon_rota, store):
    of = two_attempts(store)

    lines = noon_rota("logs", of.id, "--tail", "2").stdout.splitlines()

    assert lines[0] == "… 2 earlier lines are not shown"
    assert [line.split()[-1] for line in lines[1:]] == ["route", "---", "fetching"]
    assert data(noon_rota("logs", of.id, "--tail", "1", "--json"))["not_shown"] == 3
    assert data(noon_rota("logs", of.id, "--tail", "0", "--json"))["lines"] == []


def test_lines_that_were_not_kept_are_counted_in_their_place(noon_rota, store):  # F9
    of = running(store)
    says(store, of, "head")
    says(store, of, number=1, left_out=1200)
    says(store, of, "tail", number=2, left_out=34)

    lines = noon_rota("logs", of.id).stdout.splitlines()

    assert lines[1] == "… 1,234 lines were left out here"
    assert data(noon_rota("logs", of.id, "--json"))["left_out"] == 1234
    assert len(lines) == 3


@pytest.mark.parametrize("args", [(), ("--level", "warn"), ("--tail", "2"), ("--json",)], ids=" ".join)
def test_a_log_that_is_read_in_pieces_says_what_it_says_in_one(noon_rota, store, monkeypatch, args):  # F9
    of = two_attempts(store)
    says(store, of, number=1, left_out=1200)
    says(store, of, number=2, left_out=3)
    says(store, of, "tail", number=3, left_out=31, level="WARNING")
    whole = noon_rota("logs", of.id, *args)
    monkeypatch.setattr(command, "MOST_CHUNKS", 1)

    in_pieces = noon_rota("logs", of.id, *args)

    assert (in_pieces.stdout, in_pieces.exit_code) == (whole.stdout, 0)
    assert "1,234 lines were left out" in whole.stdout or '"left_out": 1234' in whole.stdout


def test_a_line_is_harmless_on_a_terminal_and_has_no_password(noon_rota, store):  # R65
    of = running(store)
    says(store, of, f"a\ttab {HOSTILE}", "mysql://ops:hunter2@db1 is away", source=f"app{HOSTILE}", level=HOSTILE)

    for form in ((), ("--json",), ("-o", "plain")):
        out = noon_rota("logs", of.id, *form).stdout
        assert "hunter2" not in out
        assert all(character.isprintable() or character in "\n\t" for character in out)
    assert "a\ttab" in noon_rota("logs", of.id).stdout


def test_json_is_one_document(noon_rota, store):
    of = two_attempts(store)

    result = noon_rota("logs", of.id, "--json")

    assert json.loads(result.stdout)["schema"] == "rota.logs/1"
    detail = data(result)
    assert (detail["run"], detail["job"], detail["state"], detail["left_out"]) == (of.id, "report", "running", 0)
    assert detail["lines"][2] == {
        "attempt": 1,
        "token": detail["lines"][0]["token"],
        "at": "2026-06-01T12:00:12.340000Z",
        "since_start_s": 12.34,
        "level": "ERROR",
        "source": "app.mail",
        "text": "no route",
        "left_out": 0,
    }
    assert [row["attempt"] for row in detail["lines"]] == [1, 1, 1, 2]


def test_a_run_that_said_nothing_says_so_on_standard_error(noon_rota, store):
    of = running(store)

    result = noon_rota("logs", of.id)

    assert (result.exit_code, result.stdout) == (0, "")
    assert "nothing was printed or logged" in result.stderr
    assert data(noon_rota("logs", of.id, "--json"))["lines"] == []


def test_a_log_of_many_chunks_is_read_whole(noon_rota, store):
    of = running(store)
    for number in range(450):
        says(store, of, f"line {number}", number=number)

    texts = [row["text"] for row in data(noon_rota("logs", of.id, "--json"))["lines"]]

    assert texts == [f"line {number}" for number in range(450)]


class Steps:
    """Lets a reader look at a log when the test says so."""

    def __init__(self, store, monkeypatch):
        self._log = store.log
        self._come = threading.Semaphore(0)
        self._go = threading.Semaphore(0)
        monkeypatch.setattr(store, "log", self.look)

    def look(self, *args, **more):
        self._come.release()
        assert self._go.acquire(timeout=30)
        return self._log(*args, **more)

    def allow(self, looks=1):
        """Let it look, and return when it has come to look again."""
        for _ in range(looks):
            assert self._come.acquire(timeout=30)
            self._go.release()
        assert self._come.acquire(timeout=30)
        self._come.release()

    def let_go(self):
        self._go.release(1000)


def test_following_shows_lines_as_they_come_until_the_run_is_over(monkeypatch, tmp_path):
    monkeypatch.setattr(command, "LAST_LOOKS", 3)
    monkeypatch.setattr(command, "POLL", timedelta(milliseconds=1))
    app = an_app()
    now = app.clock.now()
    of = running(app.store, now=now, due_at=now, max_attempts=2)
    says(app.store, of, "one")
    steps, results = Steps(app.store, monkeypatch), []
    follower = threading.Thread(
        target=lambda: results.append(run(app, "logs", of.id, "-f", "--json", directory=tmp_path))
    )
    follower.start()

    steps.allow(2)
    says(app.store, of, "two", number=1)
    steps.allow(2)
    settle_all(app.store, failed(of, now=now, wait=timedelta(0)), now=now)
    steps.allow(2)
    app.store.promote(now=now + HOUR)
    [again] = claim(app.store, now=now + HOUR)
    says(app.store, again, "three")
    settle_all(app.store, succeeded(again, now=now + HOUR), now=now + HOUR)
    steps.allow(2)
    # Its worker writes the last lines after the end.
    says(app.store, again, "four", number=1)
    steps.let_go()
    follower.join(30)

    [result] = results
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert [(row["attempt"], row["text"]) for row in rows] == [(1, "one"), (1, "two"), (2, "three"), (2, "four")]


def test_following_ends_with_the_run(monkeypatch, noon_app, tmp_path, store):
    monkeypatch.setattr(command, "LAST_LOOKS", 0)
    monkeypatch.setattr(command, "POLL", timedelta(milliseconds=1))
    of = running(store)
    steps = Steps(store, monkeypatch)
    follower = threading.Thread(target=run, args=(noon_app, "logs", of.id, "-f"), kwargs={"directory": tmp_path})
    follower.daemon = True
    follower.start()
    steps.allow(2)

    settle_all(store, succeeded(of))
    steps.let_go()
    follower.join(10)

    assert not follower.is_alive()


def test_following_a_run_that_is_over_ends(monkeypatch, noon_app, noon_rota, store):
    monkeypatch.setattr(command, "LAST_LOOKS", 0)
    of = running(store)
    says(store, of, "one", "two")
    settle_all(store, failed(of, retry=False))

    result = noon_rota("logs", of.id, "-f", "--tail", "1")

    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1].endswith("two")
    assert "failed" in result.stderr


def test_show_tells_how_far_a_run_has_come(noon_rota, store):
    of = running(store)
    assert "progress" not in noon_rota("show", of.id).stdout

    store.note([Note(run_id=of.id, token=of.token, done=1234, total=4936)], now=NOON)
    assert "progress  1,234/4,936 (25%)" in noon_rota("show", of.id).stdout
    detail = data(noon_rota("show", of.id, "--json"))
    assert (detail["done"], detail["total"]) == (1234, 4936)

    store.note([Note(run_id=of.id, token=of.token, done=7)], now=NOON)
    assert "progress  7\n" in noon_rota("show", of.id).stdout

    settle_all(store, succeeded(of))
    assert "progress" not in noon_rota("show", of.id).stdout
