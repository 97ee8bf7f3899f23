"""Sums of what ran: added up by any number of processes, each sheet once."""

from datetime import timedelta

import pytest

from rota.core.rollup import BEGINNING, Grain, Subject
from rota.queries import MeasureQuery, RollupQuery
from tests.contract.races import together
from tests.values import DAY, HOUR, MINUTE, NOON, SECOND, a_measure, a_rollup, a_sheet, new_id

MINUTES = RollupQuery(grain=Grain.MINUTE)


def add(store, *rollups, **fields):
    return store.rollups.add(a_sheet(*rollups, **fields), now=NOON)


def found(store, **fields):
    return store.rollups.rollups(RollupQuery(**{"grain": Grain.MINUTE} | fields))


def told(store, **fields):
    return store.rollups.measures(MeasureQuery(**{"grain": Grain.MINUTE} | fields))


def test_a_sum_comes_back_as_it_was_given(store):  # R53
    rollup = a_rollup(
        number=3,
        took=1234 * SECOND + timedelta(microseconds=7),
        wait_sum=400 * DAY,
        wait_most=399 * DAY + timedelta(microseconds=1),
    )

    assert add(store, rollup) is True

    assert found(store) == [rollup]


def test_what_two_processes_add_to_one_sum_is_added_up(store):  # R53
    add(store, a_rollup(took=2 * SECOND, wait_sum=SECOND, wait_most=SECOND))
    add(store, a_rollup(took=30 * SECOND, number=2, wait_sum=MINUTE, wait_most=MINUTE))

    [both] = found(store)

    assert (both.number, both.duration_sum, both.duration_most) == (3, 32 * SECOND, 30 * SECOND)
    assert (both.wait_sum, both.wait_most) == (61 * SECOND, MINUTE)
    assert (sum(both.buckets), both.buckets[10], both.buckets[14]) == (3, 1, 2)


def test_a_longest_that_came_first_stays_the_longest(store):  # R53
    add(store, a_rollup(took=30 * SECOND, wait_most=MINUTE))
    add(store, a_rollup(took=2 * SECOND, wait_most=SECOND))

    [both] = found(store)

    assert (both.duration_most, both.wait_most) == (30 * SECOND, MINUTE)


def test_a_sheet_whose_answer_was_lost_is_not_added_twice(store):  # R53
    sheet = a_sheet(a_rollup(), measures=(a_measure(),))
    store.rollups.add(sheet, now=NOON)

    assert store.rollups.add(sheet, now=NOON + SECOND) is False

    assert found(store)[0].number == 1
    assert told(store)[0].number == 1


def test_a_later_sheet_of_the_same_process_is_added(store):  # R53
    source = new_id()
    add(store, a_rollup(), source=source, number=1)

    assert add(store, a_rollup(), source=source, number=2) is True
    assert add(store, a_rollup(), source=source, number=1) is False

    assert found(store)[0].number == 2


def test_of_one_sheet_that_arrives_many_times_at_once_one_is_added(store):  # R53
    sheet = a_sheet(a_rollup())

    answers = together(*[lambda: store.rollups.add(sheet, now=NOON) for _ in range(6)])

    assert sorted(answers) == [False] * 5 + [True]
    assert found(store)[0].number == 1


def test_nothing_is_lost_when_many_add_to_the_same_sums_at_once(store):  # R53
    def work():
        source = new_id()
        for number in range(1, 6):
            # Not in the order of their keys: whoever writes them has to bring them into one.
            jobs = ("c", "a", "b") if number % 2 else ("b", "c", "a")
            add(store, *[a_rollup(job=job) for job in jobs], source=source, number=number)

    together(*[work] * 6)

    assert [(sum_.key.job, sum_.number) for sum_ in found(store)] == [("a", 30), ("b", 30), ("c", 30)]


@pytest.mark.parametrize(
    "other",
    [
        {"subject": Subject.PART},
        {"grain": Grain.HOUR},
        {"start_at": NOON + MINUTE},
        {"job": "Report"},
        {"tenant": ""},
        {"queue": "mail"},
        {"outcome": "failed"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_sums_that_differ_in_one_name_are_kept_apart(store, other):  # R53
    add(store, a_rollup(), a_rollup(**other))

    both = found(store) + ([] if "grain" not in other else found(store, grain=Grain.HOUR))
    assert [one.number for one in both] == [1, 1]


def test_names_of_any_length_and_kind_are_kept(store):
    job, tenant = "j" * 255, 'Zürich\' "x" \n' + "ü" * 240

    add(store, a_rollup(job=job, tenant=tenant), measures=(a_measure(job=job, tenant=tenant, name="größe"),))

    [rollup], [measure] = found(store), told(store)
    assert (rollup.key.job, rollup.key.tenant) == (job, tenant)
    assert measure.key.name == "größe"


def test_sums_are_narrowed_by_time_job_tenant_queue_and_subject(store):  # R53
    wanted = a_rollup()
    others = [
        a_rollup(start_at=NOON - MINUTE), a_rollup(start_at=NOON + MINUTE), a_rollup(job="other"),
        a_rollup(tenant="globex"), a_rollup(queue="mail"), a_rollup(subject=Subject.ROUND),
    ]  # fmt: skip
    add(store, wanted, *others)

    narrowed = found(
        store,
        since=NOON,
        until=NOON + MINUTE,
        jobs=("report",),
        tenants=("acme",),
        queues=("default",),
        subject=Subject.RUN,
    )

    assert narrowed == [wanted]


def test_sums_are_added_up_over_the_names_that_are_not_asked_for(store):  # R53
    add(store, a_rollup(tenant="acme", took=SECOND), a_rollup(tenant="globex", took=3 * SECOND))
    add(store, a_rollup(tenant="acme", start_at=NOON + MINUTE, outcome="failed"))

    sums = found(store, by=frozenset({"job", "outcome"}))

    assert [(one.key.tenant, one.key.outcome, one.number, one.key.start_at) for one in sums] == [
        ("", "failed", 1, BEGINNING),
        ("", "succeeded", 2, BEGINNING),
    ]
    assert (sums[1].duration_sum, sums[1].duration_most, sum(sums[1].buckets)) == (4 * SECOND, 3 * SECOND, 2)


def test_sums_over_a_time_are_said_to_start_where_it_starts(store):  # R53
    add(store, a_rollup(start_at=NOON + MINUTE), a_rollup(start_at=NOON + 2 * MINUTE))

    [both] = found(store, by=frozenset({"job"}), since=NOON, subject=Subject.RUN)

    assert (both.key.start_at, both.number) == (NOON, 2)


def test_jobs_own_numbers_are_added_up(store):  # R53
    add(store, measures=(a_measure(total=500.0),))
    add(store, measures=(a_measure(total=-1.5),))

    [rows] = told(store)

    assert (rows.number, rows.total, rows.least, rows.most) == (2, 498.5, -1.5, 500.0)


def test_jobs_own_numbers_are_narrowed_by_time_job_and_tenant(store):  # R53
    wanted = a_measure()
    others = (a_measure(start_at=NOON - MINUTE), a_measure(job="other"), a_measure(tenant=""))
    add(store, measures=(wanted, *others))

    assert told(store, since=NOON, until=NOON + MINUTE, jobs=("report",), tenants=("acme",)) == [wanted]


def test_what_is_old_is_pruned_by_its_grain_and_what_is_for_ever_stays(store):  # R53, R72
    grains = (Grain.MINUTE, Grain.HOUR)
    add(
        store,
        *[a_rollup(grain=grain, start_at=NOON - age) for grain in grains for age in (HOUR, 3 * DAY)],
        a_rollup(grain=Grain.EVER, start_at=BEGINNING),
        measures=(a_measure(start_at=NOON - 3 * DAY), a_measure()),
    )

    before = {Grain.MINUTE: NOON - 2 * DAY, Grain.HOUR: NOON - 30 * DAY, Grain.EVER: NOON}
    assert store.rollups.prune(before, sources_before=NOON - DAY, limit=100) == 2

    assert [one.key.start_at for one in found(store)] == [NOON - HOUR]
    assert len(found(store, grain=Grain.HOUR)) == 2
    assert len(found(store, grain=Grain.EVER)) == 1
    assert [one.key.start_at for one in told(store)] == [NOON]


def test_pruning_goes_on_until_nothing_old_is_left(store):  # R72
    add(store, *[a_rollup(start_at=NOON - i * MINUTE) for i in range(1, 8)])

    rest = 1
    while rest:
        rest = store.rollups.prune({Grain.MINUTE: NOON}, sources_before=NOON - DAY, limit=3)
        assert rest <= 3

    assert found(store) == []


def test_a_process_that_is_dead_for_long_is_forgotten(store):  # R72
    source = new_id()
    store.rollups.add(a_sheet(source=source), now=NOON)

    store.rollups.prune({}, sources_before=NOON, limit=100)
    is_known = not store.rollups.add(a_sheet(source=source), now=NOON)
    store.rollups.prune({}, sources_before=NOON + SECOND, limit=100)
    is_forgotten = store.rollups.add(a_sheet(source=source), now=NOON)

    assert (is_known, is_forgotten) == (True, True)
