"""Tenants whose databases fail in every way there is: rows G. The others must be on time, and told apart by name."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine, make_url, text

from rota.core.controls import Circuit, ControlKind
from rota.core.model import ErrorReport, Outcome, RoundState, Run, RunKind, State
from rota.queries import RoundQuery, RunQuery
from tests.proxy import Mode, proxy
from tests.system.crashing import VARIABLE
from tests.system.faults import SERVERS, Ground, events, on
from tests.system.processes import Site, wait_until
from tests.system.scheduling import come_to_rest
from tests.system.test_faults_store import execute

SETTINGS = """
[worker]
processes = 1
lease = "8s"
heartbeat = "1s"
margin = "2s"
grace = "300ms"
kill_grace = "300ms"
drain = "2s"
concurrency = {concurrency}

[scheduler]
tick = "200ms"

[tenants]
probe = "1s"
max_per_host = {per_host}
"""

# Listed from a file, so that a test can change who there is. `go` is a file too: a job that is connected waits for it.
JOBS = """
from datetime import timedelta
from pathlib import Path

from rota import CatchUp, Tenant
from sqlalchemy import text
from tests.system.crashing import arm


def listed():
    return [Tenant(**one) for one in json.loads(Path("tenants.json").read_text())]


app = Rota(app.store_url, tenants=listed)
arm(app)
TWICE = Retry(attempts=2, base=timedelta(seconds=1), jitter=False)
OPTIONS = dict(per_tenant=True, timeout="2s", retry=TWICE)


def body(ctx: RunContext) -> None:
    note(event="start", tenant=ctx.tenant.id, run=ctx.run_id, at=time.monotonic())
    with ctx.tenant.begin() as db:
        db.execute(text("SELECT count(*) FROM orders"))
        note(event="connected", tenant=ctx.tenant.id)
        while not Path("go").exists():
            time.sleep(0.02)
        db.execute(text("INSERT INTO orders (id) SELECT count(*) FROM orders"))
    note(event="end", tenant=ctx.tenant.id, run=ctx.run_id, at=time.monotonic())


@app.job(**OPTIONS | dict(timeout="20s"))
def visit(ctx: RunContext) -> None:
    body(ctx)


@app.job(executor="process", **OPTIONS)
def work(ctx: RunContext) -> None:
    body(ctx)
"""
EACH_SECOND = """

@app.job(
    schedule=every(1).seconds, per_tenant=True, catch_up=CatchUp.all(),
    # Longer than it takes to note a failure: the third one parks the tenant, and its run is kept.
    retry=Retry(attempts=3, base=timedelta(seconds=1.5), factor=1, jitter=False),
)
def watch(ctx: RunContext) -> None:
    note(event="start", tenant=ctx.tenant.id, slot=ctx.slot.isoformat())
    with ctx.tenant.begin() as db:
        db.execute(text("SELECT count(*) FROM orders"))
    note(event="end", tenant=ctx.tenant.id, slot=ctx.slot.isoformat())
"""
OTHERS = ("globex", "initech")


@pytest.fixture
def ground(request, tmp_path) -> Iterator[Ground]:
    """A store beside the tenants' servers: what those do is nothing to it."""
    with on("sqlite", request, tmp_path) as made:
        yield made


@pytest.fixture(params=SERVERS)
def databases(request) -> dict[str, str]:
    """The URLs of the databases of three tenants on a server, each with a table."""
    server = request.getfixturevalue(f"{request.param}_server")
    urls = {name: server.create_database() for name in ("acme", *OTHERS)}
    for url in urls.values():
        execute(url, "CREATE TABLE orders (id int)")
    return urls


def files(ground: Ground) -> dict[str, str]:
    """Return the URLs of the SQLite files of three tenants, each with a table."""
    urls = {}
    for name in ("acme", *OTHERS):
        with closing(sqlite3.connect(ground.folder / f"{name}.db")) as connection:
            connection.execute("CREATE TABLE orders (id int)")
            connection.commit()
        urls[name] = f"sqlite:///{ground.folder / name}.db"
    return urls


def site_of(
    ground: Ground, tenants: Mapping[str, str], *, jobs: str = JOBS, concurrency: int = 8, per_host: int = 0
) -> Site:
    """Return an application with these tenants, whose jobs do not wait for each other."""
    site = Site(
        ground.folder / "site",
        url=ground.url,
        jobs=jobs,
        settings=SETTINGS.format(concurrency=concurrency, per_host=per_host),
        journal_file=ground.journal_file,
    )
    there_are(site, tenants)
    (site.folder / "go").touch()
    return site


def there_are(site: Site, tenants: Mapping[str, str]) -> None:
    (site.folder / "tenants.json").write_text(json.dumps([{"id": id_, "url": url} for id_, url in tenants.items()]))


def through(url: str, port: int, **parts: Any) -> str:
    return make_url(url).set(port=port, **parts).render_as_string(hide_password=False)


def run_of(ground: Ground, tenant: str) -> Run:
    [run] = ground.store.runs(RunQuery(tenants=(tenant,), limit=10))
    return run


def wait_for_the_others(ground: Ground) -> None:
    query = RunQuery(tenants=OTHERS, states=(State.SUCCEEDED,))
    wait_until(lambda: len(ground.store.runs(query)) == len(OTHERS), what="the other tenants")


def wait_for_the_end(ground: Ground) -> None:
    wait_until(
        lambda: all(round_.ended_at is not None for round_ in ground.store.rounds(RoundQuery())),
        what="the end of the round",
    )


def times(site: Site, event: str) -> Counter[str]:
    return Counter(line["tenant"] for line in events(site, event))


def error_of(ground: Ground, tenant: str) -> ErrorReport:
    run = run_of(ground, tenant)
    history = ground.store.run(run.id)
    assert history is not None
    return next(attempt.error for attempt in history.attempts if attempt.error is not None)


# --- G1, G2, G4, G5, G8: a round over tenants that are sick, each in its own way ---

MENDED = ("refused", "silent", "locked")
FOR_GOOD = ("tableless", "missing", "stranger")
SAID = {
    "refused": "tenant 'refused': cannot open",
    "silent": "tenant 'silent': cannot open",
    "locked": "database is locked",
    "tableless": "orders",
    "missing": "never_made",
    "stranger": "tenant 'stranger': cannot open",
}


def test_in_a_round_over_sick_tenants_each_fails_by_name_and_the_others_are_on_time(ground, databases):
    # G1, G2, G4, G5, G8, R21, R23
    spare = databases["acme"]
    port = make_url(spare).port
    execute(spare, "DROP TABLE orders")
    with (
        proxy(port) as refusing,
        proxy(port) as black_hole,
        proxy(port) as counting,
        closing(sqlite3.connect(ground.folder / "acme.db", isolation_level=None)) as lock,
    ):
        sick = {
            "refused": through(databases["globex"], refusing.port),
            "silent": through(databases["initech"], black_hole.port),
            "locked": files(ground)["acme"],
            "tableless": spare,
            "missing": through(spare, port, database="never_made"),
            "stranger": through(spare, counting.port, password="wrong"),
        }
        refusing.to(Mode.REFUSE)
        black_hole.to(Mode.BLACK_HOLE)
        lock.execute("BEGIN EXCLUSIVE")
        site = site_of(ground, sick | {name: databases[name] for name in OTHERS})
        site.rota("run", "visit")
        with site.started():
            wait_until(lambda: has_run(ground, "refused") and has_failed(ground, "refused"), what="a refusal")
            refusing.to(Mode.PASS)
            wait_for_the_others(ground)
            wait_until(lambda: all(has_failed(ground, one) for one in MENDED), what="a failed attempt of each")
            black_hole.to(Mode.PASS)
            lock.execute("COMMIT")
            wait_for_the_end(ground)
        logins = counting.counts["accepted"]

    assert {name: word in error_of(ground, name).message for name, word in SAID.items()} == dict.fromkeys(SAID, True)
    # What is not mended ends with its attempts, and so do its logins.
    starts = times(site, "start")
    assert {starts[name] for name in FOR_GOOD} == {2}
    assert {starts[name] for name in OTHERS} == {1}
    assert times(site, "end") == dict.fromkeys((*MENDED, *OTHERS), 1)
    assert {run_of(ground, name).state for name in FOR_GOOD} == {State.FAILED}
    assert logins == 2
    [round_] = ground.store.rounds(RoundQuery())
    assert round_.state is RoundState.PARTIAL
    # The slowest of the others was done long before the first of those who hung was given up and tried again.
    second = min(line["at"] for name in ("silent", "locked") for line in events(site, "start", tenant=name)[1:])
    assert all(line["at"] < second - 1 for name in OTHERS for line in events(site, "end", tenant=name))


def has_run(ground: Ground, tenant: str) -> bool:
    return bool(ground.store.runs(RunQuery(tenants=(tenant,), limit=1)))


def has_failed(ground: Ground, tenant: str) -> bool:
    history = ground.store.run(run_of(ground, tenant).id)
    return history is not None and any(attempt.error for attempt in history.attempts)


def test_a_tenant_that_hangs_in_the_midst_of_a_job_costs_its_time_limit_and_no_more(ground, databases):
    # G2, G4, R21
    lock, unlock = (
        ("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE", "ROLLBACK")
        if databases["acme"].startswith("postgresql")
        else ("LOCK TABLES orders WRITE", "UNLOCK TABLES")
    )
    with (
        proxy(make_url(databases["acme"]).port) as line,
        create_engine(databases["acme"], poolclass=NullPool).connect() as connection,
    ):
        tenants = {
            "locked": databases["acme"],
            "silent": through(databases["globex"], line.port),
            "initech": databases["initech"],
        }
        # Two places: the third one comes when one of the others has been given up.
        site = site_of(ground, tenants, concurrency=2)
        (site.folder / "go").unlink()
        connection.execute(text(lock))
        site.rota("run", "work")
        with site.started():
            wait_until(lambda: events(site, "connected", tenant="silent"), what="a connection")
            line.to(Mode.BLACK_HOLE)
            (site.folder / "go").touch()
            wait_until(lambda: all(has_failed(ground, one) for one in ("locked", "silent")), what="the time limits")
            line.to(Mode.PASS)
            connection.execute(text(unlock))
            wait_for_the_end(ground)

    for name in ("locked", "silent"):
        assert ground.outcomes(run_of(ground, name)) == [Outcome.TIMED_OUT, Outcome.SUCCEEDED]
    # Where a machine is too slow for it, the third one may have another attempt as well.
    starts = times(site, "start")
    assert (starts["locked"], starts["silent"]) == (2, 2)
    assert times(site, "end") == dict.fromkeys(tenants, 1)


# --- G6, G7: the list ---


def test_who_comes_or_goes_while_a_round_is_expanded_is_in_or_out_once(ground):  # G6, G4, R20
    tenants = files(ground)
    site = site_of(ground, tenants)
    site.rota("run", "visit")
    with site.started("--processes", "1", env={**site.environment(), VARIABLE: "enqueue:after:1"}) as process:
        wait_until(lambda: (site.folder / "crashed").exists(), what="the death of the expansion")
        process.kill()
    (ground.folder / "late.db").write_bytes((ground.folder / "acme.db").read_bytes())
    there_are(site, {"acme": tenants["acme"], "late": f"sqlite:///{ground.folder / 'late.db'}"})
    with site.started():
        wait_for_the_end(ground)

    runs = {run.tenant: run for run in ground.store.runs(RunQuery())}
    assert len(ground.store.runs(RunQuery())) == 4
    assert {name: runs[name].state for name in ("acme", "late")} == dict.fromkeys(("acme", "late"), State.SUCCEEDED)
    assert times(site, "end") == {"acme": 1, "late": 1}
    for name in OTHERS:
        assert runs[name].state is State.CANCELLED
        assert "source" in (runs[name].reason or "")


@pytest.mark.parametrize("listing", ["", "[]"], ids=["fails", "nobody"])
def test_a_list_that_fails_or_is_empty_fails_the_round_and_is_no_success(ground, listing):  # G7, R20
    site = site_of(ground, files(ground))
    site.rota("run", "visit")
    (site.folder / "tenants.json").write_text(listing)
    # Who asks now is told at once.
    assert site.rota("run", "visit", check=False).returncode == 1
    with site.started():
        wait_for_the_end(ground)

    [round_] = ground.store.rounds(RoundQuery())
    assert round_.state is RoundState.FAILED
    [expansion] = ground.store.runs(RunQuery(kind=RunKind.EXPANSION))
    assert (expansion.state, expansion.error.type) == (State.FAILED, "TenantListFailed")
    assert events(site, "start") == []


# --- G8, R25: a password that is wrong, and parking ---


def test_a_wrong_password_is_tried_few_times_and_the_tenant_is_parked_until_it_is_right(ground, databases):
    # G8, G1, R25, R8
    with proxy(make_url(databases["acme"]).port) as line:
        wrong = through(databases["acme"], line.port, password="wrong")
        site = site_of(ground, databases | {"acme": wrong}, jobs=JOBS + EACH_SECOND)
        with site.started():
            wait_until(lambda: is_parked(ground, "acme"), what="the parking")
            since = times(site, "end")["globex"]
            wait_until(lambda: times(site, "end")["globex"] > since + 4, what="slots of another tenant")
            attempts = line.counts["accepted"]
            assert is_parked(ground, "acme")
            there_are(site, databases)
            # A tenant that is elsewhere is found within a minute, or by its next probe.
            wait_until(lambda: times(site, "end")["acme"] >= 4, what="what was kept")
            come_to_rest(ground, "watch")

    # Three attempts, and a probe after one second, two and four. Slots go on meanwhile, each with three attempts.
    assert attempts <= 6
    made_up = [line["slot"] for line in events(site, "end", tenant="acme")]
    assert made_up == sorted(set(made_up))
    assert set(made_up) == {line["slot"] for line in events(site, "end", tenant="globex")}


def is_parked(ground: Ground, tenant: str) -> bool:
    control = ground.store.control(ControlKind.CIRCUIT, tenant)
    return control is not None and Circuit.of(control).is_open


# --- G9: connections ---


def test_a_server_with_few_connections_is_not_asked_for_more_at_once(ground, postgres_server):  # G9, R22
    urls = few_connections(postgres_server, [f"t{number}" for number in range(6)], most=2)
    site = site_of(ground, urls, per_host=2)
    site.rota("run", "visit")
    with site.started():
        wait_for_the_end(ground)

    assert times(site, "end") == dict.fromkeys(urls, 1)
    assert times(site, "start") == dict.fromkeys(urls, 1)
    assert {run.state for run in ground.store.runs(RunQuery())} == {State.SUCCEEDED}


def few_connections(server: Any, names: Sequence[str], *, most: int) -> dict[str, str]:
    """Return databases of an account that may have only so many connections in all."""
    urls = {name: server.create_database() for name in names}
    role = make_url(next(iter(urls.values()))).database
    server.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{role}' CONNECTION LIMIT {most}")
    for url in urls.values():
        execute(url, "CREATE TABLE orders (id int)", f"GRANT ALL ON orders TO {role}")
    return {
        name: make_url(url).set(username=role, password=role).render_as_string(hide_password=False)
        for name, url in urls.items()
    }
