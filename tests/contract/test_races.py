"""Many at once: nothing is lost, nothing is shared. Asserted is the sum, never the order of threads."""

import threading
from collections import Counter
from datetime import timedelta
from itertools import chain

from msgspec.structs import replace

from rota.core.lifecycle import rescue
from rota.core.model import Outcome, RoundState, State
from rota.core.policy import Overlap
from rota.queries import RoundQuery, RunQuery
from tests.contract.races import together
from tests.values import (
    HOUR,
    LEASE,
    MINUTE,
    NOON,
    SECOND,
    a_firing,
    a_progress,
    a_request,
    a_round,
    a_run,
    a_schedule,
    a_slot_run,
    add_rounds,
    claim,
    found,
    given_up,
    ids,
    open_counts,
    outcomes,
    settle_all,
    states,
    succeeded,
    the_progress,
)


def test_eight_claimers_share_no_run_and_lose_none(store):  # R30
    runs = [a_run(tenant=f"t{number % 9}", priority=number % 3) for number in range(400)]
    store.enqueue(runs, now=NOON)

    def work(worker):
        mine = []
        while claimed := claim(store, worker, limit=7):
            mine += [(run.id, run.token) for run in claimed]
        return mine

    answers = together(*[lambda name=f"w{number}": work(name) for number in range(8)])

    claimed = Counter(run_id for run_id, _ in chain(*answers))
    assert claimed == Counter(ids(runs))
    for number, answer in enumerate(answers):
        mine = store.runs(RunQuery(owner=f"w{number}", limit=1_000))
        assert {(run.id, run.token) for run in mine} == set(answer)


def test_enqueuers_claimers_and_settlers_lose_nothing(store):  # R30
    batches = [[a_slot_run(tenant=f"t{number}-{batch}") for number in range(50)] for batch in range(4)]
    done = threading.Event()

    def enqueue(runs):
        return [run_id for run in runs for run_id in store.enqueue([run], now=NOON)]

    def work(worker):
        applied, held, idle = [], [], 0
        while idle < 2:
            finished = done.is_set()
            answer = store.settle([succeeded(run) for run in held], now=NOON, claim=a_request(worker, limit=5))
            applied += answer.applied
            held = answer.claimed
            idle = idle + 1 if finished and not held else 0
            if not held:
                # As every worker does. Asking without a pause starves those who write to a file.
                store.wait(timedelta(milliseconds=20))
        return applied

    enqueuers = [lambda runs=runs: enqueue(runs) for runs in batches]
    finished = threading.Barrier(len(enqueuers), action=done.set)

    def then_say_so(call):
        answer = call()
        finished.wait(60)
        return answer

    answers = together(
        *[lambda call=call: then_say_so(call) for call in enqueuers],
        *[lambda name=f"w{number}": work(name) for number in range(4)],
    )

    everything = sorted(ids(list(chain(*batches))))
    assert sorted(chain(*answers[:4])) == everything
    assert sorted(chain(*answers[4:])) == everything
    assert open_counts(store) == {}
    assert len(store.progress()) == 200


def test_of_many_who_enqueue_the_same_runs_each_run_is_accepted_once(store):
    runs = [a_run(dedupe_key=f"key-{number}") for number in range(40)]

    def enqueue(shift):
        own = [replace(run, id=f"{shift}{run.id[1:]}") for run in runs]
        return store.enqueue(own[shift * 5 :] + own[: shift * 5], now=NOON)

    answers = together(*[lambda shift=shift: enqueue(shift) for shift in range(8)])

    assert len(list(chain(*answers))) == 40
    assert len(store.runs(RunQuery(limit=1_000))) == 40
    assert {run.id for run in store.runs(RunQuery(limit=1_000))} == set(chain(*answers))


def test_of_two_schedulers_one_fires_each_slot(store):
    schedules = [a_schedule(name=f"s-{number:03}") for number in range(60)]
    for schedule in schedules:
        store.put_schedule(schedule, expected_version=None)

    def fire(order):
        return [
            name
            for start in range(0, 60, 20)
            for name in store.fire([a_firing(schedule) for schedule in order[start : start + 20]], now=NOON)
        ]

    first, second = together(lambda: fire(schedules), lambda: fire(schedules[::-1]))

    assert sorted(first + second) == [schedule.name for schedule in schedules]
    assert len(store.rounds(RoundQuery(limit=1_000))) == 60
    assert len(store.runs(RunQuery(kind=None, limit=1_000))) == 60
    assert {schedule.cursor for schedule in store.schedules()} == {NOON}


def test_two_promoters_queue_each_run_once(store):
    runs = [a_run(tenant="acme", due_at=NOON + MINUTE) for _ in range(200)]
    store.enqueue(runs, now=NOON)

    def promote():
        promoted = 0
        while number := store.promote(now=NOON + MINUTE, limit=30):
            promoted += number
        return promoted

    answers = together(promote, promote, promote)

    assert sum(answers) == 200
    assert open_counts(store) == {"default": {State.QUEUED: 200}}


def test_of_one_key_never_two_run(store):  # R10, R35
    keys = ("a", "b", "c")
    runs = [a_run(concurrency_key=key, tenant=f"t{number % 2}") for number in range(20) for key in keys]
    store.enqueue(runs, now=NOON)
    lock = threading.Lock()
    running: Counter[str] = Counter()
    order: dict[str, list[str]] = {key: [] for key in keys}
    most: Counter[str] = Counter()

    def work(worker):
        held = []
        while True:
            with lock:
                for run in held:
                    running[run.concurrency_key] -= 1
            held = store.settle([succeeded(run) for run in held], now=NOON, claim=a_request(worker, limit=4)).claimed
            with lock:
                for run in held:
                    running[run.concurrency_key] += 1
                    order[run.concurrency_key].append(run.id)
                    most[run.concurrency_key] = max(most[run.concurrency_key], running[run.concurrency_key])
                if sum(map(len, order.values())) == len(runs) and not held:
                    return
            if not held:
                store.unblock(now=NOON)
                store.wait(timedelta(milliseconds=5))

    together(*[lambda name=f"w{number}": work(name) for number in range(8)])

    assert most == Counter(dict.fromkeys(keys, 1))
    assert order == {key: [run.id for run in runs if run.concurrency_key == key] for key in keys}


def test_a_run_enqueued_while_its_key_is_freed_is_not_forgotten(store):
    for number in range(15):
        key = f"key-{number}"
        store.enqueue([a_run(concurrency_key=key)], now=NOON)
        [holder] = claim(store)
        late = a_run(concurrency_key=key)

        together(
            lambda holder=holder: settle_all(store, succeeded(holder)),
            lambda late=late: store.enqueue([late], now=NOON),
        )
        store.unblock(now=NOON)

        [claimed] = claim(store)
        assert claimed.id == late.id
        settle_all(store, succeeded(claimed))


def test_many_who_enqueue_for_one_key_get_one_running(store):  # R10
    for number in range(5):
        runs = [a_run(concurrency_key=f"key-{number}", overlap=Overlap.QUEUE_ALL) for _ in range(8)]

        together(*[lambda run=run: store.enqueue([run], now=NOON) for run in runs])
        store.unblock(now=NOON)

        done = []
        while claimed := claim(store):
            assert len(claimed) == 1
            done += ids(claimed)
            settle_all(store, succeeded(claimed[0]))
            store.unblock(now=NOON)
        assert sorted(done) == sorted(ids(runs))


def test_two_keys_freed_together_each_let_one_go_on(store):
    for number in range(10):
        key = f"key-{number}"
        runs = [a_run(concurrency_key=key) for _ in range(3)]
        store.enqueue(runs, now=NOON)

        together(
            lambda runs=runs: store.cancel([runs[0].id], now=NOON, reason="ann"),
            lambda: store.unblock(now=NOON),
            lambda: store.unblock(now=NOON),
        )
        store.unblock(now=NOON)

        assert states(store, *ids(runs)) == [State.CANCELLED, State.QUEUED, State.SCHEDULED]
        store.cancel(ids(runs), now=NOON, reason="ann")


def test_a_run_is_either_settled_or_rescued(store):  # R30
    store.enqueue([a_slot_run(tenant=f"t{number}") for number in range(60)], now=NOON)
    runs = claim(store)
    late = NOON + MINUTE

    settled, rescued = together(
        lambda: [run_id for run in runs for run_id in settle_all(store, succeeded(run, now=late), now=late)],
        lambda: [
            run_id
            for run in store.expired(now=late, limit=100)
            for run_id in settle_all(store, rescue(run, now=late), now=late)
        ],
    )

    assert sorted(settled + rescued) == sorted(ids(runs))
    assert set(states(store, *settled)) <= {State.SUCCEEDED}
    assert set(states(store, *rescued)) <= {State.QUEUED}
    for run_id in rescued:
        assert outcomes(store, run_id) in ([Outcome.LOST], [Outcome.SUPERSEDED])


def test_a_lease_is_either_renewed_or_rescued(store):  # R30
    store.enqueue([a_run() for _ in range(60)], now=NOON)
    runs = claim(store)
    late = NOON + MINUTE
    expired = store.expired(now=late, limit=100)

    def renew(run):
        return store.renew("w1", [(run.id, run.token)], lease=LEASE, now=late, stamps={}).held

    held, rescued = together(
        lambda: [run_id for run in runs for run_id in renew(run)],
        lambda: [run_id for run in reversed(expired) for run_id in settle_all(store, rescue(run, now=late), now=late)],
    )

    assert sorted(held + rescued) == sorted(ids(runs))
    assert all(found(store, run_id).lease_until == late + LEASE for run_id in held)
    assert set(states(store, *rescued)) <= {State.QUEUED}


def test_of_two_rescuers_one_takes_each_run(store):
    store.enqueue([a_run() for _ in range(60)], now=NOON)
    runs = claim(store)

    def rescue_all(now):
        expired = store.expired(now=now, limit=100)
        return settle_all(store, *[rescue(run, now=now) for run in expired], now=now)

    answers = together(*[lambda wait=wait: rescue_all(NOON + MINUTE + wait * SECOND) for wait in range(3)])

    assert sorted(chain(*answers)) == sorted(ids(runs))
    assert {found(store, run.id).lost_count for run in runs} == {1}


def test_failures_counted_at_once_are_all_counted(store):
    store.enqueue([a_slot_run(slot=NOON + number * HOUR, max_attempts=1) for number in range(48)], now=NOON)
    runs = claim(store)

    together(
        *[
            lambda own=runs[number::6]: [settle_all(store, given_up(run)) for run in own]
            for number in range(6)
        ]
    )  # fmt: skip

    assert the_progress(store).failures == 48


def test_successes_recorded_at_once_leave_the_newest_slot(store):  # R9
    store.enqueue([a_slot_run(slot=NOON + number * HOUR) for number in range(48)], now=NOON)
    runs = claim(store)

    together(*[lambda own=runs[number::6][::-1]: settle_all(store, *map(succeeded, own)) for number in range(6)])

    assert the_progress(store).last_success == NOON + 47 * HOUR


def test_settling_in_opposite_orders_ends(store):
    store.enqueue([a_slot_run(tenant=f"t{number:02}") for number in range(80)], now=NOON)
    runs = claim(store)
    halves = [runs[::2], runs[1::2][::-1], runs[::-1]]

    answers = together(*[lambda own=own: settle_all(store, *map(succeeded, own)) for own in halves])

    assert set(chain(*answers)) == set(ids(runs))
    assert set(states(store, *ids(runs))) == {State.SUCCEEDED}


def test_of_many_who_change_a_schedule_one_does(store):
    store.put_schedule(a_schedule(version=1), expected_version=None)

    answers = together(
        *[
            lambda number=number: store.put_schedule(
                a_schedule(version=2, timing=f"timing-{number}"), expected_version=1
            )
            for number in range(6)
        ]
    )

    assert answers.count(True) == 1
    assert [schedule.timing for schedule in store.schedules()] == [f"timing-{answers.index(True)}"]


def test_of_many_who_create_a_schedule_one_does(store):
    answers = together(
        *[
            lambda number=number: store.put_schedule(a_schedule(timing=f"timing-{number}"), expected_version=None)
            for number in range(6)
        ]
    )

    assert answers.count(True) == 1
    assert [schedule.timing for schedule in store.schedules()] == [f"timing-{answers.index(True)}"]


def test_of_many_who_end_a_round_one_does(store):
    round_ = a_round(expanded=True)
    add_rounds(store, round_)
    ended = replace(round_, state=RoundState.SUCCEEDED, ended_at=NOON)

    assert together(*[lambda: store.end_round(ended)] * 6).count(True) == 1


def test_of_many_who_record_the_round_of_a_slot_one_does(store):
    rounds = [a_round() for _ in range(6)]

    answers = together(*[lambda round_=round_: add_rounds(store, round_) for round_ in rounds])

    [added] = chain(*answers)
    assert ids(store.rounds(RoundQuery())) == [added]


def test_of_many_who_mark_progress_one_does(store):
    old = a_progress(failures=1)
    created = together(*[lambda: store.mark(old, expected=None)] * 6)
    marked = together(
        *[
            lambda number=number: store.mark(a_progress(failures=1, last_run_id=f"{number:032}"), expected=old)
            for number in range(6)
        ]
    )

    assert created.count(True) == 1
    assert marked.count(True) == 1
    assert the_progress(store).last_run_id == f"{marked.index(True):032}"


def test_a_cancelled_run_is_not_claimed_as_well(store):
    runs = [a_run() for _ in range(60)]
    store.enqueue(runs, now=NOON)

    def claim_all():
        mine = []
        while claimed := claim(store, limit=3):
            mine += ids(claimed)
        return mine

    def cancel_all():
        return [run_id for run in reversed(runs) for run_id in store.cancel([run.id], now=NOON, reason="ann")]

    claimed, cancelled = together(claim_all, cancel_all)

    assert sorted(cancelled) == sorted(ids(runs))
    for run in runs:
        stored = found(store, run.id)
        assert stored.state is (State.RUNNING if run.id in claimed else State.CANCELLED)
        assert stored.cancel_requested == (run.id in claimed)
