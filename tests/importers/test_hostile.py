"""Files that are anything: huge, binary, nested, made to harm. Each gets a clear error or a clear list."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.errors import SourceUnreadable
from rota.importers import apscheduler, celery_beat, crontab, crontabber, huey, schedule
from rota.importers.python import LARGEST_PYTHON
from rota.importers.text import LARGEST, text_of

READERS = [apscheduler, celery_beat, crontab, crontabber, huey, schedule]
OF_PYTHON = [apscheduler, celery_beat, crontabber, huey, schedule]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"x" * (LARGEST + 1), "more than 5 MB"),
        (b"\xff\xfe0\x00 \x00", "not UTF-8"),
        ("é".encode("latin-1"), "byte 1 is not UTF-8"),
        (b"a\nb\0c", "a NUL in line 2"),
    ],
)
def test_what_is_no_text_is_refused(raw, reason):  # R64
    with pytest.raises(SourceUnreadable, match=reason):
        text_of(raw)


def test_a_byte_order_mark_is_no_part_of_the_text():
    assert text_of(b"\xef\xbb\xbf0 2 * * * sync") == "0 2 * * * sync"


@pytest.mark.parametrize("reader", OF_PYTHON)
@pytest.mark.parametrize(
    "text",
    [
        "x = " + "[" * 50_000 + "]" * 50_000,
        "x = " + "-" * 100_000 + "1",
        "x = 1" + "+1" * 50_000,
        "x = a" + ".a" * 100_000,
        "x = a" + "()" * 100_000,
        "x = " + "not " * 50_000 + "1",
        "def (",
        "x" * (LARGEST_PYTHON + 1),
    ],
    ids=["lists", "signs", "sums", "attributes", "calls", "nots", "syntax", "size"],
)
def test_python_that_cannot_be_read_is_refused(reader, text):  # R64
    with pytest.raises(SourceUnreadable):
        reader.read(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 100_000 + "]" * 100_000, "too deep"),
        ("[" + "1" * 10_000 + "]", "a number too long"),
        ('[{"cmd": "a"}', "comma is missing"),
        ('[{"cmd": }]', "line 1 is no JSON"),
        ('[\n{"cmd": "a"}\n{"cmd": "b"}]', "line 3 is no JSON: a comma"),
        ('[{"cmd": "a"}] x', "more after the end"),
        ("[NaN]", "no JSON that can be read"),
        ("[", "no JSON"),
    ],
)
def test_json_that_cannot_be_read_is_refused(text, reason):  # R64
    with pytest.raises(SourceUnreadable, match=reason):
        crontabber.read(text)


@pytest.mark.parametrize(
    "value",
    [
        "[" * 60 + "]" * 60,
        "{1:" * 60 + "1" + "}" * 60,
        "10 ** 10 ** 10",
        "'x' * 10",
        "2 << 10**9",
        "1e999",
        "1j",
        "b'x'",
    ],
    ids=["lists", "dicts", "power", "repeated", "shift", "infinite", "complex", "bytes"],
)
def test_a_literal_that_is_made_to_harm_is_a_problem(value):  # R64
    text = f'beat_schedule = {{"a": {{"task": "t.a", "schedule": 1, "args": [{value}]}}}}'

    [found] = celery_beat.read(text)

    assert found.problem


def test_nothing_of_a_file_is_run(tmp_path):
    mark = tmp_path / "ran"
    text = f"""
import os
open({str(mark)!r}, "w")
beat_schedule = {{"a": {{"task": "t.a", "schedule": os.mkdir({str(mark)!r})}}}}
JOBS = [{{"cmd": open({str(mark)!r}, "w")}}]
@huey.periodic_task(crontab(minute=open({str(mark)!r}, "w")))
def f(): open({str(mark)!r}, "w")
s.add_job(f, "cron", hour=open({str(mark)!r}, "w"))
every(open({str(mark)!r}, "w")).day.do(f)
"""
    found = [one for reader in OF_PYTHON for one in reader.read(text)]

    assert len(found) == 5
    assert all(one.problem for one in found)
    assert not mark.exists()


@given(st.text(max_size=300))
def test_any_text_is_a_list_or_an_error_of_ours(text):
    for reader in READERS:
        try:
            found = reader.read(text)
        except SourceUnreadable:
            continue
        assert all(one.problem or one.timing for one in found)


PARTS = st.sampled_from([*Path(__file__).read_text(encoding="utf-8").split(), "every().day", ".do(f)", "add_job(", ")"])


@given(st.lists(PARTS, max_size=12))
def test_any_words_of_python_are_a_list_or_an_error_of_ours(parts):
    test_any_text_is_a_list_or_an_error_of_ours.hypothesis.inner_test(" ".join(parts))
