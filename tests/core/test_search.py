"""What a search means, and what it says of a term that it cannot read (R38, R64)."""

from datetime import UTC, datetime, timedelta

import pytest

from rota.core.model import ErrorReport, State, Trigger
from rota.core.search import WORDS, parse
from rota.errors import BadSearch
from tests.values import DAY, HOUR, MINUTE, NOON, SECOND, a_run

TIMES = {"2d": NOON - 2 * DAY, "1h": NOON - HOUR, "2026-06-01T11:00": NOON - HOUR}


def instant(text):
    if text in TIMES:
        return TIMES[text]
    # As the command does for a zone of two hours.
    return datetime.fromisoformat(text).replace(tzinfo=UTC) - timedelta(hours=2)


def means(text, **fields):
    """Whether a search means a run like this one."""
    return parse(text, instant=instant).holds(a_run(**fields), now=NOON)


def failing(message="no order 7", **fields):
    return {"error": ErrorReport(**{"type": "LookupError", "message": message, "fingerprint": "ab12cd34ef"} | fields)}


@pytest.mark.parametrize(
    ("text", "fields", "is_meant"),
    [
        ("", {}, True),
        ("job:report", {}, True),
        ("JOB:report", {}, True),
        ("job:other", {}, False),
        ("job:other,report", {}, True),
        ("-job:other,report", {}, False),
        ("-job:other", {}, True),
        ("job:report tenant:acme", {"tenant": "acme"}, True),
        ("job:report tenant:acme", {"tenant": "globex"}, False),
        ("tenant:acme", {"tenant": None}, False),
        ("-tenant:acme", {"tenant": None}, True),
        ('tenant:""', {"tenant": None}, True),
        ("tenant:\"the 'a', b\"", {"tenant": "the 'a', b"}, True),
        ("tenant:'the \"a\", b'", {"tenant": 'the "a", b'}, True),
        ("tenant:o'neill", {"tenant": "o'neill"}, True),
        ("tenant:a:b", {"tenant": "a:b"}, True),
        ("state:failed", {"state": State.FAILED}, True),
        ("state:Failed,queued", {"state": State.QUEUED}, True),
        ("-state:failed", {"state": State.FAILED}, False),
        ("queue:mail", {"queue": "mail"}, True),
        ("worker:w1", {"owner": "w1"}, True),
        ("trigger:backfill", {"trigger": Trigger.BACKFILL}, True),
        ("schedule:nightly round:r1", {"schedule": "nightly", "round_id": "r1"}, True),
        ("parent:r7", {"parent": "r7"}, True),
        ("parent:r7", {"parent": None}, False),
        ("run:0197", {"id": "0197ab"}, True),
        ("run:0197", {"id": "0198ab"}, False),
        ("error:order", failing(), True),
        ("error:LOOKUPERROR", failing(), True),
        ('error:"lookuperror: no order"', failing(), True),
        ("error:ab12cd", failing(), True),
        ("error:ab12c", failing(), False),
        ("error:order", {}, False),
        ("-error:order", {}, True),
        ("attempt:>1", {"attempt": 2}, True),
        ("attempt:>1", {"attempt": 1}, False),
        ("attempt:2", {"attempt": 2}, True),
        ("attempt:<=2 attempt:>=2", {"attempt": 2}, True),
        ("attempt:1,3", {"attempt": 2}, False),
        ("duration:>30s", {"started_at": NOON - HOUR, "ended_at": NOON - HOUR + 31 * SECOND}, True),
        ("duration:>30s", {"started_at": NOON - HOUR, "ended_at": NOON - HOUR + 30 * SECOND}, False),
        ("duration:<1m", {"started_at": NOON - MINUTE}, False),
        ("duration:>=1m", {"started_at": NOON - MINUTE}, True),
        ("duration:<1m", {"started_at": None}, False),
        ("since:2d", {"created_at": NOON - 2 * DAY}, True),
        ("since:2d until:1h", {"created_at": NOON - HOUR}, False),
        ("since:2d until:1h", {"created_at": NOON - HOUR - SECOND}, True),
        ("slot:2026-06-01T11:00", {"slot": NOON - HOUR}, True),
        ("slot:2026-06-01T11:00", {"slot": NOON - HOUR + SECOND}, False),
        ("slot:2026-06-01", {"slot": datetime(2026, 5, 31, 22, tzinfo=UTC)}, True),
        ("slot:2026-06-01", {"slot": datetime(2026, 6, 1, 22, tzinfo=UTC)}, False),
        ("slot:2026-06-01", {"slot": None}, False),
    ],
)
def test_a_run_is_meant_where_every_term_holds(text, fields, is_meant):  # R38
    assert means(text, **fields) is is_meant


ARGS = (
    '{"args":["first",{"id":3}],"kwargs":{"admin_id":42,"name":"Ana, B.","user":{"id":7,"tags":["a","b"]},'
    '"dry":true,"none":null,"day":{"$date":"2026-11-21"},"price":1.5}}'
)


@pytest.mark.parametrize(
    ("text", "is_meant"),
    [
        ("args.admin_id:42", True),
        ("args.admin_id:4", False),
        ("args.admin_id:41,42", True),
        ("-args.admin_id:42", False),
        ('args.name:"Ana, B."', True),
        ("args.user.id:7", True),
        ("args.user.tags:b", True),
        ("args.user.tags.0:b", False),
        ("args.user:7", False),
        ("args.dry:true", True),
        ("args.none:null", True),
        ("args.day:2026-11-21", True),
        ("args.price:1.5", True),
        ("args.0:first", True),
        ("args.1.id:3", True),
        ("args.2:first", False),
        ("args.missing:x", False),
        ("args.Admin_id:42", False),
    ],
)
def test_arguments_are_looked_into(text, is_meant):  # R38
    assert means(text, args=ARGS) is is_meant


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sync", "'sync' is no term: write word:value, such as job:sync"),
        ("stat:failed", "'stat:failed': no word 'stat'; did you mean state:?"),
        ("args:x", "no word 'args'"),
        ("args.:x", "no word 'args.'"),
        ("args.NAME:x", "no word 'args.NAME'"),
        (":x", "no word ''"),
        ("job:", "'job:': after job: stands name"),
        ("job:,", "after job: stands name"),
        ("state:fialed", "did you mean failed?"),
        ("trigger:cron", "it is one of schedule, backfill"),
        ("attempt:many", "write >1"),
        ("duration:30s", "a comparison stands there, such as >30s"),
        ("duration:>soon", "write >30s"),
        ("since:someday", "'since:someday': "),
        ('job:"sync', "is not closed"),
        ("-", "is no term"),
    ],
)
def test_a_term_that_cannot_be_read_is_named_with_the_way_out(text, said):  # R64
    with pytest.raises(BadSearch) as refused:
        parse(text, instant=instant)

    assert said in str(refused.value)


def test_an_unknown_word_lists_the_known_ones():  # R64
    with pytest.raises(BadSearch) as refused:
        parse("colour:red", instant=instant)

    assert all(word in str(refused.value) for word in WORDS)
