"""What runs print and log, and how far they say they are: bounded, in order, written once. (R44)"""

import pytest
from msgspec.structs import replace

from rota.core.model import LogChunk, LogLine, Note, State
from rota.errors import RunNotFound
from tests.contract.races import together
from tests.values import DAY, HOUR, LEASE, MINUTE, NOON, a_run, claim, failed, found, given_up, settle_all, succeeded


@pytest.fixture
def run(store):
    """A run that is running."""
    store.enqueue([a_run(max_attempts=3)], now=NOON)
    [claimed] = claim(store)
    return claimed


def a_line(text="hello", **fields):
    return LogLine(**{"at": NOON, "level": "INFO", "source": "stdout", "text": text} | fields)


def a_chunk(run, number, *texts, **fields):
    lines = tuple(a_line(text) for text in texts or (f"line {number}",))
    return LogChunk(**{"run_id": run.id, "token": run.token, "number": number, "lines": lines} | fields)


def note(store, run, *chunks, now=NOON, **fields):
    store.note([Note(run_id=run.id, token=run.token, chunks=chunks, **fields)], now=now)


def prune_logs(store, *, before, limit=1000):
    ages = dict.fromkeys(("succeeded_before", "failed_before", "slots_before"), NOON - 100 * DAY)
    return store.prune(**ages, logs_before=before, limit=limit).chunks


def test_a_log_comes_back_as_it_was_written(store, run):  # R44
    first = a_chunk(run, 0, "one", "two", left_out=7)
    second = LogChunk(
        run_id=run.id,
        token=run.token,
        number=1,
        lines=(a_line("three", at=NOON + MINUTE / 7, level="ERROR", source="app.mail"),),
    )

    note(store, run, first)
    note(store, run, second)

    assert store.log(run.id) == [first, second]


def test_a_run_that_said_nothing_has_an_empty_log(store, run):
    assert store.log(run.id) == []


def test_the_log_of_no_run_is_an_error(store):
    with pytest.raises(RunNotFound):
        store.log("0" * 32)


def test_a_repeated_note_adds_nothing_twice(store, run):
    chunks = [a_chunk(run, 0), a_chunk(run, 1), a_chunk(run, 2)]
    note(store, run, *chunks[:2])

    note(store, run, *chunks[:2])
    note(store, run, replace(chunks[1], left_out=5), chunks[2], replace(chunks[2], left_out=9))

    assert store.log(run.id) == chunks


def test_a_log_is_read_page_by_page(store, run):
    chunks = [a_chunk(run, number) for number in range(25)]
    note(store, run, *reversed(chunks))

    pages, after = [], None
    while page := store.log(run.id, after=after, limit=10):
        pages.append(len(page))
        after = (page[-1].token, page[-1].number)

    assert pages == [10, 10, 5]
    assert store.log(run.id, after=(run.token, 21)) == chunks[22:]
    assert store.log(run.id, after=(run.token - 1, 99), limit=1) == chunks[:1]


def test_attempts_stand_one_after_the_other(store, run):
    note(store, run, a_chunk(run, 0), a_chunk(run, 1))
    settle_all(store, failed(run))
    store.promote(now=NOON + HOUR)
    [again] = claim(store, now=NOON + HOUR)

    note(store, again, a_chunk(again, 0))

    assert [(chunk.token, chunk.number) for chunk in store.log(run.id)] == [
        (run.token, 0),
        (run.token, 1),
        (again.token, 0),
    ]
    assert store.log(run.id, after=(run.token, 1)) == [a_chunk(again, 0)]


def test_the_middle_of_a_log_is_dropped_and_its_place_taken_by_a_count(store, run):  # F9
    other = replace(run, token=run.token - 1)
    note(store, other, *(a_chunk(other, number) for number in range(6)))
    note(store, run, *(a_chunk(run, number) for number in range(6)))
    gap = LogChunk(run_id=run.id, token=run.token, number=3, lines=(), left_out=2)
    replaced = Note(run_id=run.id, token=run.token, drop=(2, 4), chunks=(gap, a_chunk(run, 6)))

    store.note([replaced], now=NOON)
    store.note([replaced], now=NOON)

    kept = [a_chunk(run, 0), a_chunk(run, 1), gap, a_chunk(run, 4), a_chunk(run, 5), a_chunk(run, 6)]
    assert store.log(run.id, after=(other.token, 99)) == kept
    assert len(store.log(run.id)) == 6 + len(kept)


def test_notes_of_many_runs_are_written_together(store):
    store.enqueue([a_run() for _ in range(30)], now=NOON)
    runs = claim(store)

    store.note(
        [Note(run_id=run.id, token=run.token, done=1, chunks=(a_chunk(run, 0), a_chunk(run, 1))) for run in runs],
        now=NOON,
    )

    assert [store.log(run.id) for run in runs] == [[a_chunk(run, 0), a_chunk(run, 1)] for run in runs]
    assert {found(store, run.id).done for run in runs} == {1}


def test_a_note_for_a_run_that_is_not_there_is_left_out(store, run):
    gone = a_run()

    store.note(
        [
            Note(run_id=gone.id, token=1, done=1, chunks=(a_chunk(gone, 0),)),
            Note(run_id=run.id, token=run.token, done=2),
        ],
        now=NOON,
    )

    assert found(store, run.id).done == 2
    store.enqueue([gone], now=NOON)
    assert store.log(gone.id) == []


def test_nothing_to_note_is_no_call(store):
    store.note([], now=NOON)


HOSTILE = [
    "NUL \x00 in it",
    "half of a pair \ud83d and \udc00",
    "\x1b[2J\x07\x9b\u202e",
    "quote ' \" \\ %s {x} ? $1",
    "emoji 🚀🧑‍💻 and 日本語",
    "new\nline\r\n\u2028",
    "",
]


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_any_text_is_taken(store, run, text):  # R65
    store.note(
        [
            Note(
                run_id=run.id,
                token=run.token,
                chunks=(LogChunk(run_id=run.id, token=run.token, number=0, lines=(a_line(text, source=text),)),),
            )
        ],
        now=NOON,
    )

    [line] = store.log(run.id)[0].lines
    # Where an engine cannot keep a character, something stands in its place.
    assert len(line.text) == len(text)
    assert line.text == text or "\x00" in text or "\ud83d" in text


def test_a_line_of_a_megabyte_comes_back(store, run):  # F9
    chunk = a_chunk(run, 0, "x" * 1_000_000, "ü🚀" * 250_000)

    note(store, run, chunk)

    assert store.log(run.id) == [chunk]


def test_progress_stands_on_the_running_run(store, run):
    note(store, run, done=3, total=10)
    assert (found(store, run.id).done, found(store, run.id).total) == (3, 10)

    note(store, run, done=2**62)
    assert (found(store, run.id).done, found(store, run.id).total) == (2**62, None)

    note(store, run, a_chunk(run, 0))
    assert found(store, run.id).done == 2**62


def test_progress_moves_no_lease_and_no_turn(store, run):
    note(store, run, done=3, total=10)

    assert found(store, run.id) == replace(run, done=3, total=10, last_success=None)


def test_progress_of_an_older_attempt_is_refused(store, run):
    settle_all(store, failed(run))
    store.promote(now=NOON + HOUR)
    [again] = claim(store, now=NOON + HOUR)

    note(store, run, done=9, total=10)

    assert found(store, run.id).done is None
    note(store, again, done=1)
    assert found(store, run.id).done == 1


def test_how_far_a_run_came_at_its_end_is_written_though_it_is_over(store, run):  # R32
    note(store, run, done=9, total=10)

    settle_all(store, given_up(run))
    note(store, run, done=10, total=10)

    assert (found(store, run.id).done, found(store, run.id).total) == (10, 10)


def test_a_late_word_of_an_attempt_that_did_not_end_its_run_is_left_out(store, run):
    settle_all(store, failed(run))
    note(store, run, done=10, total=10)
    store.cancel([run.id], now=NOON, reason="ann")
    note(store, run, done=10, total=10)

    assert found(store, run.id).done is None


def test_the_next_attempt_starts_without_the_progress_of_the_last(store, run):
    note(store, run, done=9, total=10)
    settle_all(store, failed(run))

    store.promote(now=NOON + HOUR)
    [again] = claim(store, now=NOON + HOUR)

    assert (again.done, again.total) == (None, None)


def test_a_run_that_is_given_back_has_come_nowhere(store, run):
    note(store, run, done=9, total=10)

    store.release("w1", [(run.id, run.token)], now=NOON)

    assert (found(store, run.id).done, found(store, run.id).total) == (None, None)


def test_a_run_that_is_opened_again_has_come_nowhere(store, run):
    note(store, run, done=9, total=10)
    settle_all(store, given_up(run))

    store.requeue([run.id], now=NOON, reason="ann")

    assert (found(store, run.id).done, found(store, run.id).total) == (None, None)


def test_what_an_attempt_says_after_it_lost_its_lease_is_kept(store, run):
    settle_all(store, succeeded(run))

    note(store, run, a_chunk(run, 0))

    assert store.log(run.id) == [a_chunk(run, 0)]


def test_logs_go_with_their_runs(store):  # R72
    store.enqueue([a_run(due_at=NOON - 200 * DAY)], now=NOON - 200 * DAY)
    [old] = claim(store, now=NOON - 200 * DAY)
    note(store, old, a_chunk(old, 0), now=NOON)
    settle_all(store, succeeded(old, now=NOON - 200 * DAY), now=NOON - 200 * DAY)

    assert prune_logs(store, before=NOON - DAY) == 0
    assert store.run(old.id) is None

    store.enqueue([a_run(id=old.id)], now=NOON)
    assert store.log(old.id) == []


def test_old_logs_go_and_their_runs_stay(store, run):  # R72
    note(store, run, a_chunk(run, 0), now=NOON - 2 * DAY)
    note(store, run, a_chunk(run, 1), now=NOON - DAY)
    note(store, run, a_chunk(run, 2), now=NOON)

    assert prune_logs(store, before=NOON - DAY) == 1
    assert store.log(run.id) == [a_chunk(run, 1), a_chunk(run, 2)]
    assert found(store, run.id).state is State.RUNNING


def test_old_logs_go_in_steps(store, run):
    note(store, run, *(a_chunk(run, number) for number in range(25)), now=NOON - 2 * DAY)

    assert [prune_logs(store, before=NOON - DAY, limit=10) for _ in range(4)] == [10, 10, 5, 0]


def test_two_notes_of_one_attempt_at_once_leave_every_chunk_once(store, run, open_again):
    stores = [open_again() for _ in range(4)]
    chunks = [a_chunk(run, number) for number in range(20)]

    together(*(lambda one=one: [note(one, run, chunk) for chunk in chunks] for one in stores))

    assert store.log(run.id) == chunks
    assert found(store, run.id).lease_until == NOON + LEASE
