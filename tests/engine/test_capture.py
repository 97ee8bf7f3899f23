"""What runs say is kept until it is written, bounded, and never doubled. (R44)"""

import threading

import pytest

from rota.core.model import LogLine
from rota.engine.capture import Captures
from rota.errors import StoreUnavailable
from rota.redaction import keep_secret
from rota.stores.memory import MemoryStore
from tests.contract.flaky import Moment, flaky
from tests.contract.races import together
from tests.values import NOON, SECOND, a_run, claim, found


@pytest.fixture
def store():
    return MemoryStore()


def running(store, **fields):
    """Return a run that is running."""
    run = a_run(**fields)
    store.enqueue([run], now=NOON)
    [claimed] = claim(store, limit=1)
    return claimed


def texts(store, run):
    return [line.text for chunk in store.log(run.id, limit=10_000) for line in chunk.lines]


def left_out(store, run):
    return sum(chunk.left_out for chunk in store.log(run.id, limit=10_000))


def size(store, run):
    return sum(len(line.text) for chunk in store.log(run.id, limit=10_000) for line in chunk.lines)


def say(captures, run, text):
    captures.add(run, LogLine(at=NOON, level="INFO", source="stdout", text=text))


def test_lines_are_written_with_the_next_tick(store):
    captures, run = Captures(store), running(store)
    say(captures, run, "one")
    assert texts(store, run) == []

    assert captures.tick(NOON) == SECOND

    assert texts(store, run) == ["one"]


def test_progress_is_written_with_the_next_tick(store):
    captures, run = Captures(store), running(store)
    for done in range(5):
        captures.progress(run, done, 10)

    captures.tick(NOON)

    assert (found(store, run.id).done, found(store, run.id).total) == (4, 10)


def test_a_run_that_says_nothing_costs_nothing(store):
    calls, wrapper = flaky(store)
    captures, run = Captures(calls), running(store)
    wrapper.cut("note", Moment.BEFORE)

    captures.ended(run)
    captures.tick(NOON)

    assert captures.flush(NOON)
    assert not captures._transcripts


def test_what_is_told_is_forgotten_once_it_is_over(store):
    captures, run = Captures(store), running(store)
    say(captures, run, "one")
    captures.tick(NOON)
    say(captures, run, "two")
    captures.ended(run)

    captures.tick(NOON)

    assert texts(store, run) == ["one", "two"]
    assert not captures._transcripts


def test_what_is_said_after_the_end_is_nobodys(store):
    captures, run = Captures(store), running(store)
    say(captures, run, "one")
    captures.ended(run)
    say(captures, run, "late")
    captures.tick(NOON)

    say(captures, run, "later")
    captures.progress(run, 1, None)
    captures.tick(NOON)

    assert texts(store, run) == ["one"]
    assert found(store, run.id).done is None


@pytest.mark.parametrize("moment", Moment)
def test_a_store_that_is_away_loses_no_line_and_doubles_none(store, moment):  # B1
    calls, wrapper = flaky(store)
    captures, run = Captures(calls), running(store)
    say(captures, run, "one")
    wrapper.cut("note", moment)
    with pytest.raises(StoreUnavailable):
        captures.tick(NOON)
    say(captures, run, "two")
    captures.ended(run)

    for _ in range(3):
        captures.tick(NOON)

    assert texts(store, run) == ["one", "two"]
    assert not captures._transcripts


def test_at_the_end_of_the_process_all_is_written(store):
    captures, runs = Captures(store, max_bytes=64 << 10), [running(store), running(store)]
    for number in range(200):
        for run in runs:
            say(captures, run, f"line {number} " + "x" * 80)

    assert captures.flush(NOON)

    assert [len(texts(store, run)) for run in runs] == [200, 200]


def test_at_the_end_of_the_process_a_store_that_is_away_holds_up_nobody(store, caplog):
    calls, wrapper = flaky(store)
    captures, run = Captures(calls), running(store)
    say(captures, run, "one")
    wrapper.cut("note", Moment.BEFORE)

    assert captures.flush(NOON) is False
    assert "last lines of 1 runs" in caplog.text


def test_a_flood_keeps_memory_and_store_flat_and_is_counted(store):  # F21
    captures, run = Captures(store, max_bytes=64 << 10), running(store)
    total = 0
    sizes = []
    for _ in range(20):
        for _ in range(5_000):
            say(captures, run, f"line {total}")
            total += 1
        captures.tick(NOON)
        sizes.append(size(store, run))
    captures.ended(run)
    captures.tick(NOON)

    said = texts(store, run)
    assert max(sizes) <= 64 << 10
    assert said[0] == "line 0"
    assert said[-1] == f"line {total - 1}"
    assert len(said) + left_out(store, run) == total
    assert len(store.log(run.id, limit=10_000)) < 50


def test_junk_is_kept_as_text_that_harms_nobody(store):  # R65, F9
    captures, run = Captures(store), running(store)

    captures.add(
        run, LogLine(at=NOON, level="\x1b[1m" + "X" * 99, source="\x07" * 1000, text="\x1b[2J\x00\x9b\ud83d" * 10_000)
    )
    captures.tick(NOON)

    [line] = store.log(run.id)[0].lines
    assert (line.level + line.source + line.text).isprintable()
    assert len(line.level + line.source + line.text) < 100_000


def test_many_threads_speak_and_every_line_is_there_once(store):
    captures, run = Captures(store, max_bytes=4 << 20), running(store)
    stop = threading.Event()

    def write():
        while not stop.is_set():
            captures.tick(NOON)
        captures.flush(NOON)

    def speak(name):
        for number in range(500):
            say(captures, run, f"{name} {number}")

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    together(*(lambda name=name: speak(name) for name in "abcd"))
    stop.set()
    for writer in writers:
        writer.join()

    said = texts(store, run)
    for name in "abcd":
        assert [text for text in said if text.startswith(name)] == [f"{name} {number}" for number in range(500)]


def test_what_is_written_holds_no_secret(store):  # R65, T53
    captures, run = Captures(store), running(store)
    say(captures, run, "it is hunter2-and-more")
    # Known by the time it is written.
    keep_secret("hunter2-and-more")

    captures.tick(NOON)

    assert texts(store, run) == ["it is ***"]
