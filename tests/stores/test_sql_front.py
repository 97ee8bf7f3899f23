"""Claims behind a snapshot that stays open on PostgreSQL: short, and still in order (fault row C9, R32)."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any

import pytest
from psycopg import OperationalError
from sqlalchemy import create_engine, text

from rota.core.model import Run, State
from rota.errors import StoreUnavailable
from rota.queries import RunQuery
from rota.stores.sql import queue
from rota.stores.sql.database import Link
from rota.stores.sql.front import HIGHEST, LAG, LONG, LOOK_EVERY, LOWEST, PASSED, Front, after_looking
from rota.stores.sql.store import SqlStore
from tests.clocks import FakeClock
from tests.stores.conftest import opened
from tests.values import NOON, a_request, a_run, claim, ids, settle_all, succeeded

A_WHILE = timedelta(seconds=LAG * 1.1)
A_LOOK = timedelta(seconds=LOOK_EVERY)
DEAD = LONG + 200


@contextmanager
def an_old_snapshot(url: str) -> Iterator[None]:
    """Keep a transaction open that has seen something: what dies from now on cannot be cleared away."""
    engine = create_engine(url, isolation_level="REPEATABLE READ")
    with engine.connect() as connection:
        connection.execute(text("SELECT count(*) FROM rota_runs"))
        yield
    engine.dispose()


@pytest.fixture
def clock() -> FakeClock:
    """The clock by which claims remember."""
    return FakeClock()


@pytest.fixture
def store(postgres_ready: str, clock: FakeClock) -> Iterator[SqlStore]:
    """A store with many dead entries in front of its queue, of which it knows."""
    with closing(opened(postgres_ready)) as store:
        store._database.fronts._clock = clock
        with an_old_snapshot(postgres_ready):
            store.enqueue([a_run() for _ in range(DEAD)], now=NOON)
            settle_all(store, *map(succeeded, claim(store, limit=DEAD, queues={"default": DEAD})))
            for _ in range(3):
                clock.tick(A_LOOK)
                worked_off(store, 1)
            yield store


def worked_off(store: SqlStore, number: int) -> list[Run]:
    """Enqueue runs, claim as many, and settle them; return what was claimed."""
    store.enqueue([a_run() for _ in range(number)], now=NOON)
    held = claim(store, limit=number)
    settle_all(store, *map(succeeded, held))
    return held


def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list in which each statement from now on will stand."""
    statements: list[str] = []
    for name in ("one", "all", "run"):
        ask = getattr(Link, name)

        def noted(self: Link, template: str, *parameters: Any, ask: Any = ask) -> Any:
            statements.append(template)
            return ask(self, template, *parameters)

        monkeypatch.setattr(Link, name, noted)
    return statements


def lost(answer: object) -> object:
    raise OperationalError("server closed the connection unexpectedly")


def passed_by_a_claim(store: SqlStore, limit: int) -> tuple[int, list[Run]]:
    """Return how many entries of the index a claim passes, and what it gets."""

    def counted(link: Link) -> tuple[int, list[Run]]:
        [before] = link.one(PASSED)
        made = queue.claim(link, a_request(limit=limit), now=NOON)
        [after] = link.one(PASSED)
        return after - before, made()

    return store._database.write(counted)


def test_a_claim_behind_an_old_snapshot_does_not_pass_what_is_dead(store: SqlStore) -> None:
    run = a_run()
    store.enqueue([run], now=NOON)

    passed, held = passed_by_a_claim(store, 1)

    assert ids(held) == [run.id]
    assert passed < 100


def test_a_run_of_higher_priority_is_claimed_next(store: SqlStore) -> None:  # R32
    urgent, *rest = a_run(priority=5), *(a_run() for _ in range(4))
    store.enqueue(rest, now=NOON)
    claim(store, limit=1)
    store.enqueue([urgent], now=NOON)

    passed, held = passed_by_a_claim(store, 2)

    assert ids(held) == [urgent.id, rest[1].id]
    assert passed < 100


def test_each_priority_has_its_front(store: SqlStore, clock: FakeClock) -> None:  # R32
    store.enqueue([a_run(priority=5) for _ in range(DEAD)], now=NOON)
    settle_all(store, *map(succeeded, claim(store, limit=DEAD, queues={"default": DEAD})))
    for _ in range(3):
        clock.tick(A_WHILE)
        store.enqueue([a_run(priority=5)], now=NOON)
        claim(store, limit=1)
    urgent, other = a_run(priority=5), a_run()
    store.enqueue([other, urgent], now=NOON)

    passed, held = passed_by_a_claim(store, 2)

    assert ids(held) == [urgent.id, other.id]
    assert passed < 100


def test_an_old_run_that_is_requeued_waits_no_longer_than_for_the_next_look_at_everything(
    store: SqlStore, clock: FakeClock
) -> None:  # R32
    [old] = worked_off(store, 1)
    for _ in range(3):
        clock.tick(A_WHILE)
        worked_off(store, 1)
    store.enqueue([a_run() for _ in range(10)], now=NOON)
    store.requeue([old.id], now=NOON, reason="again")

    early = ids(claim(store, limit=1))
    clock.tick(A_LOOK)
    late = ids(claim(store, limit=1))

    # Passed over once, or this would prove nothing.
    assert early != [old.id]
    assert late == [old.id]


def test_an_old_run_is_claimed_at_once_where_nothing_else_is_queued(store: SqlStore, clock: FakeClock) -> None:
    [old] = worked_off(store, 1)
    for _ in range(3):
        clock.tick(A_WHILE)
        worked_off(store, 1)
    store.requeue([old.id], now=NOON, reason="again")

    assert ids(claim(store, limit=1)) == [old.id]


def test_many_old_runs_are_claimed_one_after_the_other_once_they_were_seen(store: SqlStore, clock: FakeClock) -> None:
    old = worked_off(store, 20)
    for _ in range(3):
        clock.tick(A_WHILE)
        worked_off(store, 1)
    store.enqueue([a_run() for _ in range(50)], now=NOON)
    store.requeue(ids(old), now=NOON, reason="again")
    clock.tick(A_LOOK)

    held = [run for _ in range(5) for run in claim(store, limit=4)]

    assert set(ids(held)) == set(ids(old))


def test_a_run_whose_id_was_made_a_moment_ago_is_not_passed_over(store: SqlStore, clock: FakeClock) -> None:
    early = a_run()
    worked_off(store, 1)
    clock.tick(A_WHILE)
    worked_off(store, 1)
    store.enqueue([early, a_run()], now=NOON)

    assert ids(claim(store, limit=1)) == [early.id]


def test_runs_of_a_claim_that_was_rolled_back_are_claimed_next(store: SqlStore) -> None:
    runs = [a_run() for _ in range(4)]
    store.enqueue(runs, now=NOON)

    def broken(link: Link) -> None:
        queue.claim(link, a_request(limit=2), now=NOON)
        raise InterruptedError

    with pytest.raises(InterruptedError):
        store._database.write(broken)

    assert ids(claim(store, limit=2)) == ids(runs[:2])


def test_what_another_worker_leaves_alone_is_not_passed_over(store: SqlStore, clock: FakeClock) -> None:  # R36
    unknown = a_run(job="unknown")
    store.enqueue([unknown], now=NOON)
    for _ in range(3):
        clock.tick(A_LOOK)
        store.enqueue([a_run()], now=NOON)
        claim(store, limit=1, except_jobs=frozenset({"unknown"}))
    store.enqueue([a_run()], now=NOON)

    assert ids(claim(store, limit=1)) == [unknown.id]


def test_an_enqueue_behind_an_old_snapshot_does_not_pass_what_is_dead(store: SqlStore) -> None:
    def counted(link: Link) -> int:
        [before] = link.one(PASSED)
        queue.enqueue(link, [a_run()], now=NOON, careful=False)
        [after] = link.one(PASSED)
        return int(after - before)

    assert store._database.write(counted) < 100


@pytest.mark.parametrize("tenant", [None, "acme"])
def test_an_enqueue_alone_finds_out_by_its_only_statement_that_looks_are_long(
    store: SqlStore, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, tenant: str | None
) -> None:
    worked_off(store, 1)
    clock.tick(A_LOOK)
    statements = told(monkeypatch)

    store.enqueue([a_run(tenant=tenant)], now=NOON)

    known = store._database.fronts.turn_of_late("default")
    assert known is not None and known.is_long
    assert len(statements) == 1
    assert [run.tenant for run in claim(store, limit=2)] == [tenant]


@pytest.mark.parametrize("tenant", [None, "acme"])
def test_a_run_alone_stands_as_far_behind_whether_its_look_was_counted_or_not(
    postgres_ready: str, tenant: str | None
) -> None:  # R33
    clock = FakeClock()
    with closing(opened(postgres_ready)) as store:
        store._database.fronts._clock = clock
        for pause in (A_LOOK, timedelta(0), A_LOOK, timedelta(0)):
            clock.tick(pause)
            store.enqueue([a_run(tenant=tenant, weight=2.0)], now=NOON)

        turns = [run.turn for run in claim(store, limit=4)]

    assert turns == ([0.0, 0.5, 1.0, 1.5] if tenant else [0.0] * 4)


def test_a_claim_is_one_statement_also_when_it_counts(
    postgres_ready: str, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(opened(postgres_ready)) as store:
        store._database.fronts._clock = clock
        store.enqueue([a_run()], now=NOON)
        clock.tick(A_LOOK)
        statements = told(monkeypatch)

        assert len(claim(store)) == 1

        assert len(statements) == 1
        assert not store._database.fronts.of(("default", frozenset(), frozenset())).is_due(clock.monotonic())


def test_a_claim_whose_connection_was_closed_meanwhile_is_made_on_another_one(postgres_ready: str) -> None:
    with closing(opened(postgres_ready)) as store:
        store.enqueue([a_run()], now=NOON)
        engine = create_engine(postgres_ready, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
                )
            )
        engine.dispose()

        assert len(claim(store)) == 1


def test_a_claim_whose_answer_is_lost_is_not_made_again_in_silence(
    postgres_ready: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The runs of the first would be with nobody.
    with closing(opened(postgres_ready)) as store:
        store.enqueue([a_run(), a_run()], now=NOON)
        read_answer = Link.all
        monkeypatch.setattr(Link, "all", lambda *told: lost(read_answer(*told)))

        with pytest.raises(StoreUnavailable):
            claim(store, limit=1)
        monkeypatch.undo()

        assert [run.owner for run in store.runs(RunQuery(states=(State.RUNNING,)))] == ["w1"]


def test_tenants_are_still_served_in_turns(store: SqlStore) -> None:  # R33
    greedy = [a_run(tenant="greedy") for _ in range(20)]
    store.enqueue(greedy[:10], now=NOON)
    for run in greedy[10:]:
        store.enqueue([run], now=NOON)
    modest = a_run(tenant="modest")
    store.enqueue([modest], now=NOON)

    assert modest.id in ids(claim(store, limit=3))


def test_nothing_is_left_out_while_looks_are_short(postgres_ready: str) -> None:
    clock = FakeClock()
    with closing(opened(postgres_ready)) as store:
        store._database.fronts._clock = clock
        [old] = worked_off(store, 1)
        for _ in range(3):
            clock.tick(A_WHILE)
            worked_off(store, 1)
        store.enqueue([a_run() for _ in range(3)], now=NOON)
        store.requeue([old.id], now=NOON, reason="again")

        assert ids(claim(store, limit=1)) == [old.id]


def test_the_ranges_of_a_front_leave_out_only_what_stands_before_it() -> None:
    front = Front(used={0: (2.0, "b"), 1: (0.0, "a"), 7: (1.0, "c")}, is_long=True)

    found = [(condition.count("BETWEEN"), values) for condition, values in front.ranges()]

    assert found == [
        (1, (LOWEST, -1)),
        (0, (0, 2.0, "b")),
        (0, (1, 0.0, "a")),
        (1, (2, 6)),
        (0, (7, 1.0, "c")),
        (1, (8, HIGHEST)),
    ]


def test_what_a_look_at_everything_did_not_reach_is_forgotten() -> None:
    places = {0: (0.0, "m"), 3: (0.0, "m")}
    front = Front(used=places, held_back=places, latest=places, is_long=True, counted_at=10.0, turned_at=10.0)

    filled = after_looking(front, [(0, (0.0, "z"))], at=10.0, of_all=True, is_full=True)
    early = after_looking(front, [(0, (0.0, "a"))], at=10.0, of_all=True, is_full=True)

    assert (filled.used, filled.is_of_use(10.0)) == ({0: (0.0, "m")}, True)
    assert not early.is_of_use(10.0)
    assert after_looking(early, [], at=10.0, of_all=True, is_full=False).is_of_use(10.0)
