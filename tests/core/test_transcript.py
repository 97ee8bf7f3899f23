"""What an attempt says is bounded: head and tail stay, the middle is counted. (R44, F9, F21)"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.core.model import LogLine
from rota.core.transcript import CHUNK, LONGEST, PartLine, Transcript, harmless, size_of
from tests.values import NOON

MOST = 256 << 10


def a_line(text, source="stdout"):
    return LogLine(at=NOON, level="INFO", source=source, text=text)


class Kept:
    """What a store makes of the notes."""

    def __init__(self):
        self.chunks = {}
        self.written = 0

    def take(self, note):
        if note.drop is not None:
            for number in range(*note.drop):
                self.chunks.pop(number, None)
        for chunk in note.chunks:
            self.chunks.setdefault(chunk.number, chunk)
            self.written += sum(map(size_of, chunk.lines))

    @property
    def texts(self):
        return [line.text for number in sorted(self.chunks) for line in self.chunks[number].lines]

    @property
    def left_out(self):
        return sum(chunk.left_out for chunk in self.chunks.values())

    @property
    def size(self):
        return sum(size_of(line) for chunk in self.chunks.values() for line in chunk.lines)


def write(transcript, kept, *, everything=False):
    note = transcript.next_note(everything=everything)
    if note is not None:
        kept.take(note)
        transcript.written(note)


def write_all(transcript, kept):
    while not transcript.is_told:
        write(transcript, kept, everything=True)


def test_a_short_log_is_kept_whole():
    transcript, kept = Transcript("r", 1, most=MOST), Kept()
    texts = [f"line {number}" for number in range(1000)]
    for text in texts:
        transcript.add(a_line(text))

    write_all(transcript, kept)

    assert (kept.texts, kept.left_out) == (texts, 0)


@given(
    sizes=st.lists(st.integers(0, 3000), max_size=300),
    pauses=st.lists(st.integers(1, 40), min_size=1),
    most=st.sampled_from([16 << 10, 40 << 10]),
)
def test_of_a_long_log_head_and_tail_stay_and_every_other_line_is_counted(sizes, pauses, most):  # F9
    transcript, kept = Transcript("r", 1, most=most), Kept()
    texts = [f"{number:<{size}}" for number, size in enumerate(sizes)]
    left = list(pauses)
    for number, text in enumerate(texts):
        transcript.add(a_line(text))
        if number % left[0] == 0:
            left = left[1:] + left[:1]
            write(transcript, kept)
    write_all(transcript, kept)

    said = kept.texts
    # In order, none twice, and what is missing stands between a beginning and an end.
    assert len(said) + kept.left_out == len(texts)
    head = next((index for index, (one, other) in enumerate(zip(said, texts, strict=False)) if one != other), len(said))
    tail = said[head:]
    assert said[:head] == texts[:head]
    assert [text for text in texts if text in set(tail)] == tail
    assert not tail or tail[-1] == texts[-1]
    assert kept.size <= most + 3100
    if sum(size_of(a_line(text)) for text in texts) <= most // 2:
        assert kept.left_out == 0


def test_a_flood_writes_a_bounded_part_at_a_time_and_its_end_is_there():  # F21
    transcript, kept = Transcript("r", 1, most=MOST), Kept()
    number = 0
    written = []
    for _ in range(30):
        for _ in range(20_000):
            transcript.add(a_line(f"line {number}"))
            number += 1
        before = kept.written
        write(transcript, kept)
        written.append(kept.written - before)
    transcript.is_ended = True
    write_all(transcript, kept)

    assert max(written) <= MOST // 8 + 100
    assert kept.size <= MOST + CHUNK
    assert len(kept.texts) + kept.left_out == number
    assert kept.texts[0] == "line 0"
    end = [f"line {index}" for index in range(number - 1000, number)]
    assert kept.texts[-1000:] == end
    assert len(kept.chunks) < 100


def test_what_is_held_while_nothing_can_be_written_is_bounded():  # F21
    transcript = Transcript("r", 1, most=MOST)
    assert transcript.next_note() is None
    transcript.add(a_line("x"))
    transcript.next_note()

    for number in range(100_000):
        transcript.add(a_line(f"line {number}"))

    held = [*transcript._head, *transcript._tail]
    assert sum(map(size_of, held)) <= MOST


def test_a_note_that_was_not_acknowledged_is_offered_again_as_it_was():  # G8
    transcript = Transcript("r", 1, most=MOST)
    transcript.add(a_line("one"))
    transcript.progress(1, 2)
    first = transcript.next_note()
    transcript.add(a_line("two"))
    transcript.progress(2, 2)

    assert transcript.next_note() is first
    transcript.written(first)
    second = transcript.next_note()

    assert [line.text for chunk in second.chunks for line in chunk.lines] == ["two"]
    assert (second.done, second.total) == (2, 2)
    assert second.chunks[0].number == 1


def test_a_note_that_is_acknowledged_twice_acknowledges_no_other():
    transcript = Transcript("r", 1, most=MOST)
    transcript.add(a_line("one"))
    first = transcript.next_note()
    transcript.written(first)
    transcript.add(a_line("two"))
    second = transcript.next_note()

    transcript.written(first)

    assert transcript.next_note() is second
    assert not transcript.is_told


def test_progress_is_bounded_to_what_a_store_can_count():
    transcript = Transcript("r", 1, most=MOST)

    transcript.progress(10**30, -5)

    note = transcript.next_note()
    assert (note.done, note.total) == (2**63 - 1, 0)


def test_the_same_progress_said_often_is_one_note():
    transcript = Transcript("r", 1, most=MOST)
    for done in range(1000):
        transcript.progress(done, 1000)

    note = transcript.next_note()
    assert note.done == 999
    transcript.written(note)
    assert transcript.next_note() is None


@pytest.mark.parametrize("pieces", [["a\nb\nc"], ["a", "\n", "b\n", "c"], ["a\r\nb", "\r\nc"]])
def test_a_line_comes_when_it_ends_however_it_was_written(pieces):
    part = PartLine()

    lines = [line for piece in pieces for line in part.feed(piece)]

    assert (lines, part.end(), part.end()) == (["a", "b"], ["c"], [])


def test_an_empty_line_is_a_line():
    part = PartLine()

    assert part.feed("\n\na\n") == ["", "", "a"]


def test_a_line_without_an_end_takes_no_more_than_a_line():  # F9
    part = PartLine()
    for _ in range(1000):
        assert part.feed("x" * 100_000) == []
    part.feed("the end")

    [line] = part.end()

    assert len(line) < LONGEST + 100
    assert "characters left out" in line
    assert line.endswith("the end")
    assert harmless(line) == line
    left_out = 100_000_007 - LONGEST
    assert f"{left_out} characters" in line


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("plain", "plain"),
        ("a\ttab", "a\ttab"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("for\rged\n", "for\\rged\\n"),
        ("half \ud83d", "half \\ud83d"),
        ("NUL \x00", "NUL \\x00"),
        ("\u202egnp", "\\u202egnp"),
    ],
)
def test_a_line_is_harmless(text, kept):  # R65
    assert harmless(text) == kept


def test_a_line_of_100_mb_is_cut_and_says_so():  # F9
    line = harmless("a" * 50_000_000 + "b" * 50_000_000)

    assert len(line) < LONGEST + 100
    assert line.startswith("aaa")
    assert line.endswith("bbb")
    assert f"{100_000_000 - LONGEST} characters left out" in line
