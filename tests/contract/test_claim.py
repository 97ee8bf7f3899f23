"""Who gets which run, in which order, under which token."""

from datetime import timedelta

from rota.clock import to_micros
from rota.core.model import State, Trigger
from rota.core.policy import Overlap, Retry
from tests.values import (
    DAY,
    HOUR,
    LEASE,
    MINUTE,
    NOON,
    a_progress,
    a_request,
    a_run,
    a_slot_run,
    claim,
    failed,
    found,
    ids,
    new_id,
    settle_all,
    states,
    succeeded,
)

RICH = {
    "tenant": "acme", "user_id": "ana", "args": '{"args":[7],"kwargs":{}}', "priority": 0, "expires_at": NOON + HOUR,
    "trigger": Trigger.MANUAL, "actor": "ana", "schedule": "nightly", "slot": NOON, "since": NOON - DAY,
    "round_id": new_id(), "dedupe_key": "once", "concurrency_key": "one", "batch": "b1", "weight": 2.5,
    "overlap": Overlap.SKIP, "retry": Retry(attempts=7, max_elapsed=HOUR), "carried": '{"v":1,"values":{}}',
    "limit_key": "lk", "host": "db7", "max_attempts": 7, "parent": new_id(),
}  # fmt: skip


def test_what_few_runs_have_is_told_of_those_that_have_it(store):
    plain, rich, other = a_run(), a_run(**RICH), a_run(schedule="hourly", slot=NOON)
    store.enqueue([plain, rich, other], now=NOON)

    claimed = {run.id: run for run in claim(store)}

    assert set(claimed) == {plain.id, rich.id, other.id}
    for run in claimed.values():
        assert run == found(store, run.id)
    given = {name: getattr(claimed[rich.id], name) for name in RICH}
    assert given == RICH


def test_a_claimed_run_is_running_in_the_workers_hands(store):
    run = a_run()
    store.enqueue([run], now=NOON)

    [claimed] = claim(store, "w7", now=NOON + MINUTE)

    assert claimed.id == run.id
    assert claimed.state is State.RUNNING
    assert claimed.owner == "w7"
    assert claimed.claimed_at == NOON + MINUTE
    assert claimed.lease_until == NOON + MINUTE + LEASE
    assert claimed.attempt == 1
    assert claimed.started_at is None
    assert found(store, run.id) == claimed


def test_each_run_of_a_batch_comes_as_it_is_kept(store):
    # Alike and not, in turns: what the runs of a batch have in common must not spill over to one that differs.
    mixed = [
        a_run(args='{"args":[1],"kwargs":{}}', user_id="u1", due_at=NOON - MINUTE),
        a_run(args='{"args":[2],"kwargs":{}}', tenant="acme", host="db1", limit_key="k1"),
        a_run(job="other", max_attempts=7, actor="ann", reason="because"),
        a_run(concurrency_key="c1", dedupe_key="d1"),
        a_run(priority=4, expires_at=NOON + HOUR, carried='{"a":1}'),
        a_slot_run(tenant="acme"),
        a_run(args='{"args":["\\n\\\\ \\"é😀\\t"],"kwargs":{}}', reason='a\\ "b"\n\té😀', tenant="agência 'x'"),
        a_run(weight=1 / 3, round_id=None, created_at=NOON - HOUR),
    ]
    store.enqueue(mixed, now=NOON)

    claimed = {run.id: run for run in claim(store, limit=20, now=NOON + MINUTE)}

    assert claimed.keys() == set(ids(mixed))
    assert claimed == {run_id: found(store, run_id) for run_id in claimed}


def test_an_empty_store_gives_nothing(store):
    assert claim(store) == []


def test_what_is_claimed_is_not_given_again(store):
    store.enqueue([a_run()], now=NOON)
    claim(store, "w1")

    assert claim(store, "w2") == []


def test_what_is_not_due_is_not_given(store):
    store.enqueue([a_run(due_at=NOON + MINUTE)], now=NOON)

    assert claim(store, now=NOON + HOUR) == []


def test_higher_priority_comes_first_then_age(store):  # R32
    runs = [a_run(priority=priority) for priority in (0, 5, -3, 5, 0)]
    store.enqueue(runs, now=NOON)

    assert ids(claim(store)) == [runs[index].id for index in (1, 3, 0, 4, 2)]


def test_runs_without_a_tenant_are_first_in_first_out(store):
    runs = [a_run() for _ in range(5)]
    store.enqueue(runs[:2], now=NOON)
    store.enqueue(runs[2:], now=NOON + MINUTE)

    assert [ids(claim(store, limit=2)) for _ in range(3)] == [ids(runs[:2]), ids(runs[2:4]), ids(runs[4:])]


def test_a_tenant_with_a_thousand_runs_delays_nobody(store):  # G12
    store.enqueue([a_run(tenant="big") for _ in range(1_000)], now=NOON)
    small = [a_run(tenant=tenant) for tenant in ("a", "b", "c")]
    store.enqueue(small, now=NOON + MINUTE)

    first = claim(store, limit=4)

    assert [run.tenant for run in first] == ["big", "a", "b", "c"]


def test_tenants_take_turns_within_one_batch(store):
    tenants = ["a", "a", "a", "b", "b", "c"]
    store.enqueue([a_run(tenant=tenant) for tenant in tenants], now=NOON)

    assert [run.tenant for run in claim(store)] == ["a", "b", "c", "a", "b", "a"]


def test_a_late_tenant_starts_at_the_current_turn_not_at_the_beginning(store):
    store.enqueue([a_run(tenant="big") for _ in range(10)], now=NOON)
    claim(store, limit=8)

    store.enqueue([a_run(tenant="late") for _ in range(4)], now=NOON)

    assert [run.tenant for run in claim(store, limit=4)] == ["big", "late", "big", "late"]


def test_turns_are_counted_per_queue(store):
    store.enqueue([a_run(tenant="acme", queue="mail") for _ in range(5)], now=NOON)
    run = a_run(tenant="acme")
    store.enqueue([run], now=NOON)

    assert found(store, run.id).turn == 0.0


def test_priority_goes_before_turns(store):
    store.enqueue([a_run(tenant="big") for _ in range(3)], now=NOON)
    urgent = a_run(tenant="big", priority=1)
    store.enqueue([urgent], now=NOON)

    assert ids(claim(store, limit=1)) == [urgent.id]


def test_the_limit_holds_in_all(store):
    store.enqueue([a_run() for _ in range(5)], now=NOON)

    assert len(claim(store, limit=3)) == 3


def test_the_limit_of_each_queue_holds(store):
    store.enqueue([a_run(queue=queue) for queue in ("mail", "default") for _ in range(5)], now=NOON)

    claimed = claim(store, queues={"mail": 2, "default": 1}, limit=10)

    assert [run.queue for run in claimed] == ["mail", "mail", "default"]


def test_queues_are_served_in_the_order_named(store):
    store.enqueue([a_run(queue=queue) for queue in ("a", "b", "c")], now=NOON)

    claimed = claim(store, queues={"c": 9, "a": 9, "b": 9}, limit=2)

    assert [run.queue for run in claimed] == ["c", "a"]


def test_other_queues_are_left_alone(store):
    store.enqueue([a_run(queue="mail")], now=NOON)

    assert claim(store, queues={"default": 9}) == []


def test_a_limit_of_nothing_gives_nothing(store):
    store.enqueue([a_run()], now=NOON)

    assert claim(store, limit=0) == []
    assert claim(store, queues={"default": 0}) == []
    assert claim(store, queues={}) == []


def test_jobs_that_the_worker_does_not_know_stay_queued(store):  # R36
    runs = [a_run(job=job) for job in ("old", "new", "old", "newer")]
    store.enqueue(runs, now=NOON)

    claimed = claim(store, except_jobs=frozenset({"new", "newer"}))

    assert [run.job for run in claimed] == ["old", "old"]
    assert states(store, runs[1].id, runs[3].id) == [State.QUEUED, State.QUEUED]


def test_the_token_is_the_time_in_microseconds(store):
    store.enqueue([a_run()], now=NOON)

    [claimed] = claim(store)

    assert claimed.token == to_micros(NOON)


def test_tokens_grow_with_each_claim_whatever_the_clock_says(store):
    store.enqueue([a_run(max_attempts=9)], now=NOON)
    tokens = []
    for now in (NOON, NOON, NOON - DAY, NOON + MINUTE):
        [claimed] = claim(store, now=now)
        tokens.append(claimed.token)
        store.release("w1", [(claimed.id, claimed.token)], now=now)

    assert tokens == sorted(set(tokens))


def test_the_window_of_a_slot_comes_with_its_run(store):  # R9
    store.mark(a_progress(last_success=NOON - DAY), expected=None)
    run = a_slot_run()
    store.enqueue([run], now=NOON)

    [claimed] = claim(store)

    assert claimed.last_success == NOON - DAY
    assert found(store, run.id).last_success is None


def test_each_run_of_a_big_claim_gets_its_own_window(store):  # R9
    windows = {(schedule, f"t{number}"): NOON - number * DAY for schedule in "ab" for number in range(1, 40)}
    for (schedule, tenant), last_success in windows.items():
        store.mark(a_progress(schedule=schedule, tenant=tenant, last_success=last_success), expected=None)
    runs = [a_slot_run(schedule=schedule, tenant=tenant) for schedule, tenant in windows]
    store.enqueue([*runs, a_slot_run(schedule="a", tenant="new"), a_run(tenant="t1")], now=NOON)

    claimed = claim(store)

    assert len(claimed) == 80
    for run in claimed:
        assert run.last_success == windows.get((run.schedule, run.tenant))


def test_without_a_tenant_the_window_is_the_schedules_own(store):
    store.mark(a_progress(tenant="", last_success=NOON - DAY), expected=None)
    store.enqueue([a_slot_run(tenant=None), a_slot_run(tenant="acme")], now=NOON)

    assert {run.tenant: run.last_success for run in claim(store)} == {None: NOON - DAY, "acme": None}


def test_a_run_without_a_schedule_has_no_window(store):
    store.mark(a_progress(schedule="report", last_success=NOON - DAY), expected=None)
    store.enqueue([a_run(tenant="acme")], now=NOON)

    [claimed] = claim(store)

    assert claimed.last_success is None


def test_an_attempt_that_is_tried_again_counts(store):
    store.enqueue([a_run(max_attempts=3)], now=NOON)
    [first] = claim(store)
    settle_all(store, failed(first))
    store.promote(now=NOON + MINUTE)

    [second] = claim(store, now=NOON + MINUTE)

    assert (first.attempt, second.attempt) == (1, 2)


def test_a_lease_may_be_shorter_than_a_second(store):
    store.enqueue([a_run()], now=NOON)

    [claimed] = claim(store, lease=timedelta(milliseconds=1))

    assert claimed.lease_until == NOON + timedelta(milliseconds=1)


# --- tenants that are left out, and their weights ---


def test_tenants_that_are_left_out_stay_queued_for_later(store):  # R12, R25
    runs = [a_run(tenant=tenant) for tenant in ("acme", "globex", "initech", None)]
    store.enqueue(runs, now=NOON)

    claimed = claim(store, except_tenants=frozenset({"acme", "initech"}))

    assert sorted(ids(claimed)) == sorted([runs[1].id, runs[3].id])
    assert sorted(ids(claim(store, "w2"))) == sorted([runs[0].id, runs[2].id])


def test_tenants_and_jobs_are_left_out_together(store):
    names = [("report", "acme"), ("mail", "acme"), ("report", "globex"), ("mail", "globex"), ("mail", None)]
    runs = [a_run(job=job, tenant=tenant) for job, tenant in names]
    store.enqueue(runs, now=NOON)

    claimed = claim(store, except_jobs=frozenset({"report"}), except_tenants=frozenset({"acme"}))

    assert sorted(ids(claimed)) == sorted([runs[3].id, runs[4].id])


def test_tenants_that_are_left_out_are_told_apart_by_case_and_accent(store):
    runs = [a_run(tenant=tenant) for tenant in ("cafe", "CAFE", "café")]
    store.enqueue(runs, now=NOON)

    assert ids(claim(store, except_tenants=frozenset({"CAFE", "café"}))) == [runs[0].id]


def test_the_claim_of_a_settlement_leaves_tenants_out_too(store):  # R12
    store.enqueue([a_run(tenant="globex", priority=1), a_run(tenant="acme")], now=NOON)
    [first] = claim(store, limit=1)

    answer = store.settle([succeeded(first)], now=NOON, claim=a_request(except_tenants=frozenset({"acme"})))

    assert answer.claimed == []


def test_what_is_left_out_in_front_hides_nothing_behind_it(store):
    store.enqueue([a_run(tenant="acme") for _ in range(300)], now=NOON)
    run = a_run(tenant="globex", priority=-1)
    store.enqueue([run], now=NOON)

    assert ids(claim(store, limit=1, except_tenants=frozenset({"acme"}))) == [run.id]


def test_a_tenant_of_double_weight_has_two_turns_for_one_of_the_others(store):  # R24
    store.enqueue([a_run(tenant="big", weight=2.0) for _ in range(6)], now=NOON)
    store.enqueue([a_run(tenant="small") for _ in range(3)], now=NOON)

    order = [run.tenant for run in claim(store)]

    assert [order[:start].count("big") for start in (3, 6, 9)] == [2, 4, 6]


def test_a_weight_counts_from_the_last_turn_of_its_tenant_on(store):  # R24
    runs = [a_run(tenant="acme"), a_run(tenant="acme", weight=4.0), a_run(tenant="acme", weight=0.5)]

    for run in runs:
        store.enqueue([run], now=NOON)

    assert [found(store, run.id).turn for run in runs] == [0.0, 0.25, 2.25]


def test_any_number_of_tenants_and_jobs_may_be_left_out(store):  # R12, R25
    wanted = a_run(tenant="acme")
    store.enqueue([a_run(tenant="t69999"), a_run(tenant="acme", job="j99"), wanted, a_run()], now=NOON)

    claimed = claim(
        store,
        except_tenants=frozenset(f"t{number}" for number in range(70_000)),
        except_jobs=frozenset(f"j{number}" for number in range(100)),
    )

    assert {run.tenant for run in claimed} == {"acme", None}
    assert wanted.id in ids(claimed)


def test_a_claim_that_passes_by_many_takes_no_more_than_it_may(store):  # R36
    store.enqueue([a_run(job="unknown") for _ in range(5)], now=NOON)
    runs = [a_run() for _ in range(30)]
    store.enqueue(runs, now=NOON)

    assert ids(claim(store, queues={"default": 3}, except_jobs=frozenset({"unknown"}))) == ids(runs[:3])
