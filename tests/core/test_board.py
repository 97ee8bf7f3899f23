"""What a status page shows of each job and day."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.core.board import Board, Proof, Subject, board, public, worst
from rota.core.freshness import Freshness
from rota.core.watched import Flip

MIDNIGHT = datetime(2026, 11, 27, tzinfo=UTC)
DAY = timedelta(days=1)
EDGES = [MIDNIGHT, MIDNIGHT + DAY, MIDNIGHT + 2 * DAY]
NOW = MIDNIGHT + 2.5 * DAY

FRESH, LATE, STALE, NEW, PAUSED = (
    Freshness.FRESH,
    Freshness.LATE,
    Freshness.STALE,
    Freshness.NEW,
    Freshness.PAUSED,
)


def a_subject(name: str = "sync", *, tags: tuple[str, ...] = ()) -> Subject:
    return Subject(name=name, schedules={name: "every hour"}, tags=tags)


def a_proof(state: Freshness = FRESH, *, tenant: str = "acme", schedule: str = "sync", **fields: object) -> Proof:
    known = {"last_success": None, "stale_at": None, "flipped_at": None, "failures": 0} | fields
    return Proof(schedule=schedule, tenant=tenant, state=state, **known)


def a_flip(after: timedelta, before: Freshness, to: Freshness, *, tenant: str = "acme") -> Flip:
    return Flip(id="", schedule="sync", tenant=tenant, at=MIDNIGHT + after, before=before, after=to)


def a_board(*proofs: Proof, subjects: tuple[Subject, ...] = (a_subject(),), flips: tuple[Flip, ...] = ()) -> Board:
    return board(subjects, proofs, flips, edges=EDGES, now=NOW, next_at=NOW + timedelta(minutes=1))


def shares(made: Board) -> list[float | None]:
    return [day.in_time for day in made.sections[0].days]


def worsts(made: Board) -> list[Freshness | None]:
    return [day.worst for day in made.sections[0].days]


def test_the_worst_comes_first():  # R51
    subjects = (a_subject("fine"), a_subject("bad"), a_subject("so-so"))
    made = a_board(
        a_proof(FRESH, schedule="fine"), a_proof(STALE, schedule="bad"), a_proof(LATE, schedule="so-so"),
        subjects=subjects,
    )  # fmt: skip

    assert [section.subject.name for section in made.sections] == ["bad", "so-so", "fine"]
    assert made.state is STALE
    assert (made.count(STALE), made.count(LATE), made.count(FRESH)) == (1, 1, 1)


def test_of_one_job_who_is_stale_longest_comes_first():
    made = a_board(
        a_proof(FRESH, tenant="a"),
        a_proof(STALE, tenant="b", stale_at=NOW - timedelta(hours=1)),
        a_proof(STALE, tenant="c", stale_at=NOW - timedelta(hours=2)),
        a_proof(STALE, tenant="d"),
        a_proof(STALE, tenant="e"),
    )

    assert [proof.tenant for proof in made.sections[0].proofs] == ["c", "b", "d", "e", "a"]
    assert made.sections[0].counts() == {STALE: 4, FRESH: 1}


def test_a_job_has_all_pairs_of_its_schedules_and_nobody_has_those_of_a_schedule_that_is_gone():
    subject = Subject(name="sync", schedules={"sync": "", "sync-acme": ""})
    made = a_board(a_proof(), a_proof(schedule="sync-acme"), a_proof(STALE, schedule="gone"), subjects=(subject,))

    assert [proof.schedule for proof in made.sections[0].proofs] == ["sync", "sync-acme"]


def test_where_nothing_changed_every_day_was_as_it_is_now():
    assert shares(a_board(a_proof(FRESH))) == [1, 1, 1]
    assert shares(a_board(a_proof(STALE))) == [0, 0, 0]


def test_a_day_tells_how_long_it_was_stale():
    made = a_board(a_proof(FRESH), flips=(a_flip(1.25 * DAY, FRESH, STALE), a_flip(1.5 * DAY, STALE, FRESH)))

    assert shares(made) == [1, pytest.approx(0.75), 1]
    assert worsts(made) == [FRESH, STALE, FRESH]
    assert made.sections[0].in_time == pytest.approx(2.75 / 3)


def test_a_day_is_over_all_tenants():
    flips = (a_flip(1 * DAY, FRESH, STALE), a_flip(2 * DAY, STALE, FRESH))
    made = a_board(a_proof(tenant="acme"), *(a_proof(tenant=name) for name in "bcd"), flips=flips)

    assert shares(made) == [1, pytest.approx(0.75), 1]


def test_to_be_late_is_still_in_time():
    made = a_board(a_proof(FRESH), flips=(a_flip(0.5 * DAY, FRESH, LATE), a_flip(0.6 * DAY, LATE, FRESH)))

    assert shares(made) == [1, 1, 1]
    assert worsts(made)[0] is LATE


def test_time_in_which_nothing_is_expected_does_not_count():
    made = a_board(a_proof(STALE), flips=(a_flip(0.5 * DAY, FRESH, PAUSED), a_flip(2.25 * DAY, PAUSED, STALE)))

    assert shares(made) == [1, None, 0]
    assert worsts(made) == [FRESH, PAUSED, STALE]


def test_nothing_is_known_of_the_time_before_a_pair_came_to_its_state():
    made = a_board(a_proof(FRESH, flipped_at=MIDNIGHT + 1.5 * DAY))

    assert shares(made) == [None, 1, 1]
    assert worsts(made)[0] is None


def test_a_job_that_never_ran_is_new():
    made = a_board()

    assert made.state is NEW
    assert shares(made) == [None, None, None]
    assert made.sections[0].in_time is None


def test_no_job_at_all_is_no_alarm():
    assert a_board(subjects=()).state is NEW


def test_the_newest_success_is_that_of_any_tenant():
    made = a_board(
        a_proof(tenant="a", last_success=MIDNIGHT), a_proof(tenant="b"), a_proof(tenant="c", last_success=NOW)
    )

    assert made.sections[0].newest == NOW
    assert a_board(a_proof()).sections[0].newest is None


def test_the_public_sees_what_is_marked_and_no_tenant():  # T49
    subjects = (a_subject("sync", tags=("customer", "inner-word")), a_subject("secret"))
    whole = a_board(a_proof(STALE, tenant="acme", failures=7), a_proof(schedule="secret"), subjects=subjects)

    seen = public(whole, tags=["customer"])

    assert [section.subject for section in seen.sections] == [a_subject("sync")]
    assert [(proof.tenant, proof.failures) for section in seen.sections for proof in section.proofs] == [("", 0)]
    assert seen.state is STALE


def test_the_public_is_not_told_what_is_wrong_with_the_store():  # T49
    whole = board([], [], [], edges=EDGES, now=NOW, next_at=NOW, warning="db1.internal: connection refused")

    assert public(whole, tags=["customer"]).warning == "This page was made from what was known last."


instants = st.datetimes(EDGES[0].replace(tzinfo=None), NOW.replace(tzinfo=None), timezones=st.just(UTC))
states = st.sampled_from(list(Freshness))


@given(state=states, turns=st.lists(st.tuples(instants, states), max_size=6))
def test_no_day_is_more_than_all_in_time_or_less_than_not_at_all(state, turns):
    turns = sorted(turns, key=lambda turn: turn[0])
    befores = [state, *(after for _, after in turns)]
    flips = tuple(
        Flip(id="", schedule="sync", tenant="acme", at=at, before=before, after=after)
        for (at, after), before in zip(turns, befores, strict=False)
    )
    made = a_board(a_proof(befores[-1]), flips=flips)

    assert all(share is None or -1e-9 <= share <= 1 for share in shares(made))
    met = {state, *(after for _, after in turns)}
    assert {found for found in worsts(made) if found is not None} <= met
    assert (worst(found for found in worsts(made) if found) is STALE) == any(
        share is not None and share < 1 for share in shares(made)
    )
