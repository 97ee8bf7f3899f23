"""The statements that are asked all the time are served by an index, without a sort, on every engine."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rota.clock import id_after
from rota.core.model import LogChunk, LogLine, Note, State
from rota.core.rollup import Grain
from rota.queries import RollupQuery, RunQuery
from rota.stores.sql import (
    history,
    keys,
    logs,
    pairs,
    pruning,
    queue,
    rollups,
    rounds,
    schedules,
    settling,
    single,
    succeeding,
    turns,
)
from rota.stores.sql.database import Link
from rota.stores.sql.store import SqlStore
from tests.ready import Ready
from tests.stores.conftest import opened
from tests.values import DAY, HOUR, MINUTE, NOON, a_pair, a_rollup, a_run, a_schedule, a_sheet, claim, succeeded, watch

# One worker fills a database of each engine, and copies it.
pytestmark = pytest.mark.xdist_group("plans")

SORTS = ("TEMP B-TREE", "Sort", "filesort")
SCANS = ("Seq Scan", "SCAN r\n", "'ALL'", "'index'")


def fill(url: str) -> None:
    """Put a queue, a future and a few running runs into a database."""
    with closing(opened(url)) as store:
        store.enqueue([a_run(tenant=f"t{number % 9}", due_at=NOON + HOUR) for number in range(2000)], now=NOON)
        store.enqueue(
            [a_run(tenant=f"t{number % 9}", concurrency_key=f"k{number % 90}") for number in range(900)], now=NOON
        )
        store.enqueue([a_run(tenant=f"t{number % 9}", priority=number % 3) for number in range(900)], now=NOON)
        claim(store, limit=20)
        for number in range(200):
            store.put_schedule(a_schedule(name=f"s{number}", next_at=NOON + HOUR), expected_version=None)


@pytest.fixture
def filled(engine_kind: str, ready: Ready, tmp_path: Path) -> Iterator[SqlStore]:
    """A store with a queue, a future and a few running runs, whose statistics are known."""
    with closing(opened(ready.url(engine_kind, tmp_path / "filled.db", fill=fill))) as store:
        analyze = {"sqlite": "ANALYZE", "postgres": "ANALYZE", "mysql": "ANALYZE TABLE {runs}, {schedules}"}
        store._database.write(lambda link: link.run(analyze[link.dialect.name]))
        yield store


def plan(store: SqlStore, template: str, *parameters: Any) -> str:
    """Return how the engine would execute a statement, as text."""
    explain = "EXPLAIN QUERY PLAN " if store._database.dialect.name == "sqlite" else "EXPLAIN "

    def explained(link: Link) -> str:
        return "\n".join(str(row) for row in link.all(explain + template, *parameters)) + "\n"

    return store._database.read(explained)


def claim_statement(store: SqlStore) -> tuple[str, tuple[Any, ...]]:
    if store._database.dialect.name == "postgres":
        return queue.CLAIM_POSTGRES % "", ("w", 1, 2, 3, "default", 20)
    choose = queue.CHOOSE_SQLITE if store._database.dialect.name == "sqlite" else queue.CHOOSE_MYSQL
    return choose % "", ("default", 20)


def test_a_claim_reads_its_index_in_order(filled: SqlStore) -> None:
    template, parameters = claim_statement(filled)

    found = plan(filled, template, *parameters)

    assert "rota_runs_claim" in found
    assert not any(word in found for word in SORTS), found


def test_what_came_due_is_read_in_order(filled: SqlStore) -> None:
    found = plan(filled, queue.DUE, 1, 1000)

    assert "rota_runs_due" in found
    assert not any(word in found for word in SORTS), found


def test_pairs_that_are_to_be_judged_are_read_in_order(store: SqlStore) -> None:  # R51
    watch(store, *[a_pair(tenant=f"t{number:04}", look_at=NOON + HOUR) for number in range(3000)])
    analyze = {"sqlite": "ANALYZE", "postgres": "ANALYZE", "mysql": "ANALYZE TABLE {pairs}"}
    store._database.write(lambda link: link.run(analyze[link.dialect.name]))

    found = plan(store, pairs.LOOKS, 1, 1000)

    assert "rota_pairs_look" in found
    assert not any(word in found for word in SORTS), found


@pytest.mark.parametrize("tenant", [None, "t1"])
def test_a_run_alone_finds_its_turn_by_a_few_probes(filled: SqlStore, tenant: str | None) -> None:
    statements: list[tuple[str, tuple[Any, ...]]] = []

    class Ear:
        """A link that takes note of what it is to execute."""

        def __init__(self, link: Link) -> None:
            self.dialect, self.fronts = link.dialect, link.fronts

        def run(self, template: str, *parameters: Any) -> int:
            statements.append((template, parameters))
            return 1

    filled.enqueue([a_run(), a_run()], now=NOON)
    filled._database.read(lambda link: single.enqueue(Ear(link), a_run(tenant=tenant), now=NOON))
    [(template, parameters)] = statements

    found = plan(filled, template, *parameters)

    assert "rota_runs_claim" in found
    assert tenant is None or "rota_runs_tenant" in found
    assert "Seq Scan" not in found and "SCAN r" not in found
    assert not any(word in found for word in SORTS), found


def test_due_schedules_are_read_in_order(filled: SqlStore) -> None:
    found = plan(filled, schedules.DUE, 1, 1000)

    assert "rota_schedules_due" in found
    assert not any(word in found for word in SORTS), found


@pytest.mark.parametrize(
    ("template", "parameters", "index"),
    [
        (turns.LAST_TURNS, ("default", "default", '[["t1"]]'), "rota_runs_tenant"),
        (keys.OPEN_KEYS, ('[["k1"]]',), "rota_runs_keyed"),
        (keys.FIRST_WAITING, ('[["k1"]]',), "rota_runs_keyed"),
        (rounds.COUNTS, ('[["r1"]]', "job"), "rota_runs_round"),
        (queue.KNOWN_KEYS, ('[["d1"]]',), "rota_runs_dedupe"),
    ],
)
def test_a_question_about_few_runs_does_not_read_all(
    filled: SqlStore, template: str, parameters: tuple[Any, ...], index: str
) -> None:
    found = plan(filled, template, *parameters)

    assert index in found
    assert "Seq Scan" not in found
    assert "SCAN r" not in found


def test_runs_that_are_settled_are_looked_up_one_by_one(postgres_ready: str) -> None:  # fault row C9
    # Not joined to the index of all that is running, which behind an old snapshot is long; nor to the whole table,
    # which was small when the statement was first planned.
    with closing(opened(postgres_ready)) as store:
        store.enqueue([a_run() for _ in range(200)], now=NOON)
        claim(store, limit=20)
        database = store._database
        statement = database.update_text("runs", settling.PLAIN_FIELDS, settling.PLAIN, settling.FENCE)

        found = database.read(
            lambda link: [row[0] for row in link.driver.execute("EXPLAIN " + statement, ['[["a", 1]]']).fetchall()]
        )

        assert any("Index Scan using" in line for line in found), found
        assert not any(word in line for word in ("Hash", "Bitmap", "Seq Scan", "Merge") for line in found), found


def test_runs_that_succeeded_are_found_by_their_keys_whatever_the_statistics_say(postgres_ready: str) -> None:
    # Where nothing was running when they were made, all that runs is taken for one run, and read for each that ends.
    with closing(opened(postgres_ready)) as store:
        store.enqueue([a_run() for _ in range(2000)], now=NOON)
        store._database.write(lambda link: link.run("ANALYZE"))
        keys_ = [run.id for run in claim(store, limit=20)]

        found = plan(store, succeeding.SUCCEED_POSTGRES, "{}", 1, keys_, 1)

        assert "Index Cond: ((id)::text = ANY" in found
        assert "Nested Loop" not in found


def test_postgresql_guesses_well_how_many_runs_there_are_before_it_counts(postgres_ready: str) -> None:
    # It takes the size of the table and what its columns may hold: names of any length, or it takes a row for wider
    # than a page, a table of thousands for one of one row, and reads all of it for each run that is claimed.
    with closing(opened(postgres_ready)) as store:
        store.enqueue([a_run() for _ in range(2000)], now=NOON)

        [[told]] = store._database.read(lambda link: link.all("EXPLAIN (FORMAT JSON) SELECT 1 FROM {runs}"))

    assert 400 < told[0]["Plan"]["Plan Rows"] < 10_000, told


def test_expired_leases_are_looked_for_among_running_runs_only(filled: SqlStore) -> None:
    found = plan(filled, history.EXPIRED, 1, 100)

    assert any(index in found for index in ("rota_runs_leased", "rota_runs_due_all", "rota_runs_claim_all")), found


def test_failed_runs_are_looked_for_among_themselves_newest_first(filled: SqlStore) -> None:
    template, parameters = history.listing(RunQuery(states=(State.FAILED,), since=NOON))

    found = plan(filled, template, *parameters)

    if filled._database.dialect.name == "mysql":
        assert "rota_runs_claim_all" in found, found
    else:
        assert "rota_runs_failed" in found, found
        assert not any(word in found for word in SORTS), found


def test_what_a_run_enqueued_is_read_newest_first(filled: SqlStore) -> None:
    template, parameters = history.listing(RunQuery(parent="p7"))

    found = plan(filled, template, *parameters)

    assert "rota_runs_parent" in found, found
    assert not any(word in found for word in SORTS), found


def test_the_runs_of_a_job_are_read_from_their_index_newest_first(postgres_ready: str) -> None:
    # What runs does not stand in it, and is read from its own.
    with closing(opened(postgres_ready)) as store:
        store.enqueue([a_run(job=f"job{number % 300}") for number in range(3000)], now=NOON)
        running = claim(store, limit=20)
        store._database.write(lambda link: link.run("ANALYZE"))
        template, parameters = history.by_halves(RunQuery(jobs=("job3",), limit=20))

        found = plan(store, template, *parameters)
        listed = store.runs(RunQuery(jobs=("job3",), limit=1000))

        assert "rota_runs_job" in found and "rota_runs_leased" in found, found
        assert "Seq Scan" not in found, found
        assert len(listed) == 10
        assert {run.id for run in running if run.job == "job3"} < {run.id for run in listed}
        assert [run.id for run in listed] == sorted((run.id for run in listed), reverse=True)


@pytest.mark.parametrize("tenants", [("acme",), ("acme", "globex")])
def test_the_runs_of_a_tenant_are_read_from_their_index_newest_first(store: SqlStore, tenants: tuple[str, ...]) -> None:
    store.enqueue([a_run(tenant=f"t{number % 300}") for number in range(1500)], now=NOON)
    store.enqueue([a_run(tenant=tenant, priority=1) for tenant in tenants for _ in range(3)], now=NOON)
    running = claim(store, limit=2)
    dialect = store._database.dialect.name
    if dialect == "postgres":
        store._database.write(lambda link: link.run("ANALYZE"))
    template, parameters = history.statement(RunQuery(tenants=tenants, limit=20), by_half=dialect == "postgres")

    found = plan(store, template, *parameters)
    listed = store.runs(RunQuery(tenants=tenants, limit=1000))

    assert "rota_runs_of_tenant" in found, found
    assert "Seq Scan" not in found, found
    assert len(listed) == 3 * len(tenants)
    assert {run.id for run in running} < {run.id for run in listed}
    assert [run.id for run in listed] == sorted((run.id for run in listed), reverse=True)


def test_what_may_be_pruned_is_read_from_the_front_and_no_further(postgres_ready: str) -> None:  # R72
    # All of 1,000,000 runs were read and sorted for each 500 that went, by a plan that was compiled each time.
    with closing(opened(postgres_ready)) as store:
        store.enqueue([a_run() for _ in range(2000)], now=NOON)
        store.settle([succeeded(run) for run in claim(store, limit=2000)], now=NOON)
        store._database.write(lambda link: link.run("ANALYZE"))

        # Nothing is as old as that. Where all is, reading all of it is as good, and chosen on some days.
        found = plan(store, pruning.OLD, id_after(NOON - 730 * DAY), 1, 1, 1, 500)
        [compiles] = store._database.read(lambda link: link.one("SHOW jit"))

        assert "Index Cond: ((id)" in found, found
        assert compiles == "off"


def test_a_claim_finds_the_runs_that_it_chose_by_their_place(postgres_ready: str) -> None:
    # A join of what was chosen with the table had more than one plan, of which statistics chose.
    with closing(opened(postgres_ready)) as store:
        store.enqueue([a_run() for _ in range(2000)], now=NOON)

        template, parameters = claim_statement(store)
        found = plan(store, template, *parameters)

        assert "Tid Scan" in found, found


def test_only_those_runs_move_in_an_index_whom_it_is_for(mariadb_ready: str) -> None:
    # On MariaDB, whose indexes hold all runs, a column with a state of its own stands in five of six.
    with closing(opened(mariadb_ready)) as store:
        store.enqueue([a_run(), a_run(tenant="acme", concurrency_key="k")], now=NOON)
        marks = "due_state, tenant_state, key_state, round_state, batch_state"

        indexes = store._database.read(
            lambda link: link.all(
                "SELECT index_name FROM information_schema.statistics WHERE table_schema = DATABASE() "
                "AND table_name = 'rota_runs' AND column_name = 'state'"
            )
        )
        found = store._database.read(lambda link: link.all(f"SELECT {marks} FROM {{runs}} ORDER BY id"))

    assert indexes == [("rota_runs_claim_all",)]
    assert found == [(None,) * 5, (None, "queued", "queued", None, None)]


def test_the_turn_of_a_queue_costs_a_probe_per_priority(filled: SqlStore) -> None:
    if filled._database.dialect.jumps:
        found = plan(filled, turns.QUEUE_TURN, "default", "default", "default")
    else:
        found = plan(filled, turns.NEXT_PRIORITY, "default", 0)

    assert "rota_runs_claim" in found
    assert not any(word in found for word in SORTS), found


def test_a_second_claimer_gets_other_runs_while_the_first_is_not_done(filled: SqlStore) -> None:
    if filled._database.dialect.name == "sqlite":
        pytest.skip("one writer at a time: the second waits")

    def both(link: Link) -> tuple[set[str], set[str]]:
        template, parameters = claim_statement(filled)
        rows = link.all(template, *parameters)
        # On MariaDB the columns come as one text, with the id in front.
        first = {msgspec.json.decode(row[0])[0] if row[0].startswith("[") else row[0] for row in rows}
        return first, {run.id for run in claim(filled, limit=20)}

    first, second = filled._database.write(both)

    assert len(first) == len(second) == 20
    assert not first & second


def test_keys_are_looked_up_by_their_index_when_statistics_say_that_nothing_is_queued(postgres_ready: str) -> None:
    with closing(opened(postgres_ready)) as store:
        store._database.write(lambda link: link.run("ANALYZE"))
        store.enqueue([a_run(tenant=f"t{n}", concurrency_key=f"k{n}") for n in range(3000)], now=NOON)

        found = plan(store, keys.OPEN_KEYS, '[["k1"]]')

        assert "rota_runs_keyed" in found
        assert not any(index in found for index in ("rota_runs_claim", "rota_runs_tenant", "rota_runs_due")), found


def test_heartbeats_touch_no_index_on_postgresql(postgres_ready: str) -> None:
    # What PostgreSQL needs to leave the indexes alone (HOT): no index knows the column, and pages have room. How often
    # it manages depends on every snapshot that is open on the server, and so is no matter for a test.
    with closing(opened(postgres_ready)) as store:
        definitions, options = store._database.read(
            lambda link: (
                link.all("SELECT indexdef FROM pg_indexes WHERE tablename = 'rota_runs'"),
                link.one("SELECT reloptions FROM pg_class WHERE relname = 'rota_runs'"),
            )
        )

    assert len(definitions) > 5
    assert not [text for (text,) in definitions if "lease_until" in text]
    assert "fillfactor=50" in options[0]


def test_a_log_is_read_and_pruned_by_its_indexes(filled: SqlStore) -> None:  # R44, R72
    runs = filled.runs(RunQuery(limit=400))
    line = LogLine(at=NOON, level="INFO", source="stdout", text="said " * 20)
    notes = [
        Note(
            run_id=run.id,
            token=1,
            chunks=tuple(LogChunk(run_id=run.id, token=1, number=number, lines=(line,)) for number in range(10)),
        )
        for run in runs
    ]
    filled.note(notes[:200], now=NOON - HOUR)
    filled.note(notes[200:], now=NOON)
    filled._database.write(lambda link: link.run("ANALYZE TABLE {logs}" if link.dialect.name == "mysql" else "ANALYZE"))

    read = plan(filled, logs.CHUNKS + logs.AFTER + logs.IN_ORDER, runs[0].id, 1, 3, 100)
    old = plan(filled, logs.OLD, 0, 500)

    assert not any(word in read + old for word in (*SORTS, "Seq Scan", "SCAN rota_logs\n", "'ALL'")), read + old
    assert "rota_logs_old" in old


def sum_up(url: str) -> None:
    """Put the sums of a day, by the minute, of some jobs into a database."""
    sums = [a_rollup(job=f"job{number % 20}", start_at=NOON + number // 20 * MINUTE) for number in range(6000)]
    sums += [a_rollup(job=f"job{number}", grain=Grain.EVER) for number in range(20)]
    with closing(opened(url)) as store:
        for first in range(0, len(sums), 1500):
            store.rollups.add(a_sheet(*sums[first : first + 1500]), now=NOON)


@pytest.fixture
def summed(engine_kind: str, ready: Ready, tmp_path: Path) -> Iterator[SqlStore]:
    """A store with the sums of a day, whose statistics are known."""
    with closing(opened(ready.url(engine_kind, tmp_path / "summed.db", fill=sum_up))) as store:
        analyze = {"sqlite": "ANALYZE", "postgres": "ANALYZE", "mysql": "ANALYZE TABLE {rollups}"}
        store._database.write(lambda link: link.run(analyze[link.dialect.name]))
        yield store


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (RollupQuery(grain=Grain.MINUTE, since=NOON + 4 * HOUR), "rota_rollups_start"),
        (RollupQuery(grain=Grain.MINUTE, jobs=("job7",), since=NOON + HOUR), "rota_rollups_job"),
        (RollupQuery(grain=Grain.EVER), "rota_rollups_"),
    ],
    ids=["time", "job", "ever"],
)
def test_sums_are_read_by_their_time_or_their_job(summed: SqlStore, query: RollupQuery, index: str) -> None:  # R53
    text, parameters = rollups.statement(query)

    found = plan(summed, text, *parameters)

    assert index in found, found


def test_old_sums_are_found_in_order(summed: SqlStore) -> None:  # R72
    found = plan(summed, rollups.OLD, "minute", 0, 500)

    assert "rota_rollups_start" in found
    assert not any(word in found for word in SORTS), found
