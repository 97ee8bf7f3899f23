"""What jobs print, return, raise, eat up and leave behind: F8 to F13, F18, F21; and a container with children, I12."""

import os
import signal
import subprocess

import pytest

from rota.core.model import Outcome, State
from tests.system.faults import events, on
from tests.system.misbehaving import EXECUTORS, ask, asked, descendants, misbehaving, resident_mb
from tests.system.processes import children_of, is_alive, kill_tree, wait_until


@pytest.fixture
def sqlite(request, tmp_path):
    with on("sqlite", request, tmp_path) as made:
        yield made


EATS = """
@app.job(executor="process", max_memory="300MB", retry=STEADY)
def eats(ctx: RunContext) -> None:
    note(event="start", run=ctx.run_id, token=ctx.token)
    eaten = []
    for _ in range(1000):
        eaten.append(bytearray(10_000_000))
"""


def test_a_job_that_eats_ten_gigabytes_ends_at_its_own_limit(sqlite):  # F8
    with asked(sqlite, EATS) as app:
        workers = app.workers()
        run = app.ask("eats")
        app.wait_for_end(run)
        assert app.workers() == workers
        assert app.is_well()
    assert sqlite.outcomes(run) == [Outcome.FAILED]
    assert "memory" in f"{sqlite.run(run).error.type} {sqlite.run(run).error.message}".lower()


FLOODS = r"""
@app.job(executor="EXECUTOR", retry=STEADY)
DEF floods(ctx: RunContext, kind: str) -> str:
    note(event="start", run=ctx.run_id, token=ctx.token)
    if kind == "one line":
        for _ in range(100):
            sys.stdout.write("x" * 1_000_000)
        print()
    elif kind == "lines":
        for _ in range(20_000):
            sys.stdout.write("y" * 999 + "\n")
    else:
        print("before \x1b[31mred\x1b[0m \x07 bell \x1b]0;title\x07 \r over")
        sys.stdout.buffer.write(bytes(range(256)) * 10 + b"\n")
    sys.stdout.flush()
    print("the last word")
    return "done"
"""


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_flood_of_output_leaves_the_worker_small_and_keeps_head_and_tail(sqlite, executor):  # F9, F21, R44
    with asked(sqlite, FLOODS, executor=executor) as app:
        [worker] = app.workers()
        sqlite.wait_for_success(app.ask("floods", kind="junk"))
        before = resident_mb(worker)

        runs = {kind: app.ask("floods", kind=kind) for kind in ("one line", "lines", "junk")}
        sqlite.wait_for_success(*runs.values())

        assert resident_mb(worker) < before + 40
        assert app.workers() == [worker]
    told = app.site.rotas(*(["logs", run.id] for run in runs.values()))
    assert [code for code, _ in told] == [0] * len(runs)
    shown = {kind: text for kind, (_, text) in zip(runs, told, strict=True)}
    for text in shown.values():
        assert len(text) < 200_000
        assert "the last word" in text
    assert "characters left out" in shown["one line"]
    assert "lines" in shown["lines"] and shown["lines"].count("y" * 999) < 100
    assert "before" in shown["junk"] and "over" in shown["junk"]
    assert not set(shown["junk"]) & {"\x1b", "\x07", "\r"}
    # And the log of the process itself did not grow by what they said.
    assert len(app.site.logs()) < 2_000_000


STORMS = """
@app.job(executor="EXECUTOR", retry=STEADY)
DEF storms(ctx: RunContext, lines: int) -> str:
    note(event="start", run=ctx.run_id, token=ctx.token)
    for number in range(lines):
        SAY(f"line {number} of a storm that says nothing")
    return "done"
"""


# What a job in a thread says by `logging` goes to the handlers of its process as well, each record.
@pytest.mark.parametrize(
    ("executor", "say"), [("thread", "print"), ("asyncio", "print"), ("process", "print"), ("process", "ctx.log.info")]
)
def test_a_storm_of_lines_is_thinned_out_counted_and_bounded(sqlite, executor, say):  # F21, R44
    with asked(sqlite, STORMS.replace("SAY", say), executor=executor) as app:
        run = app.ask("storms", lines=20_000)
        app.wait_for_start(run)
        assert app.is_well()
        sqlite.wait_for_success(run)

        wait_until(lambda: "lines of this run are left out here" in app.site.logs(), what="the count in the log")
    chunks = sqlite.store.log(run.id, limit=10_000)
    kept = sum(len(chunk.lines) for chunk in chunks)
    assert kept + sum(chunk.left_out for chunk in chunks) == 20_000
    assert sum(len(line.text) for chunk in chunks for line in chunk.lines) < 64 << 10
    assert (chunks[0].lines[0].text, chunks[-1].lines[-1].text) == tuple(
        f"line {number} of a storm that says nothing" for number in (0, 19_999)
    )
    assert len(app.site.logs()) < 2_000_000


RETURNS = """
def cyclic():
    whole = []
    whole.append(whole)
    return whole


def deep():
    found = []
    for _ in range(100_000):
        found = [found]
    return found


MADE = {"100 MB": lambda: "x" * 100_000_000, "generator": lambda: (n for n in range(3)), "nan": lambda: float("nan"),
        "cyclic": cyclic, "deep": deep, "object": object, "lock": threading.Lock, "bytes": lambda: b"x", "set": set}


@app.job(executor="EXECUTOR", retry=Retry(attempts=3, base=timedelta(0)))
DEF returns(ctx: RunContext, what: str) -> object:
    note(event="start", run=ctx.run_id, token=ctx.token)
    note(event="effect", run=ctx.run_id)
    return MADE[what]()
"""
UNSTORABLE = ("100 MB", "generator", "nan", "cyclic", "deep", "object", "lock")


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_result_that_cannot_be_kept_fails_once_and_the_effect_stays(sqlite, executor):  # F10, R43
    with asked(sqlite, RETURNS, executor=executor) as app:
        workers = app.workers()
        runs = [app.ask("returns", what=what, attempts=3) for what in UNSTORABLE]
        app.wait_for_end(*runs)
        assert app.workers() == workers
        assert app.is_well()
    for run in runs:
        assert sqlite.outcomes(run) == [Outcome.FAILED]
        assert sqlite.run(run).error.type == "ResultNotStorable"
        assert len(events(app.site, "effect", run=run.id)) == 1


RAISES = """
import socket


class NeedsArguments(Exception):
    def __init__(self, one, other):
        super().__init__(one, other)
        self.lock, self.socket = threading.Lock(), socket.socket()


class Speechless(Exception):
    def __str__(self):
        raise ValueError("no")
    __repr__ = __str__


class Leaves(Exception):
    def __str__(self):
        raise SystemExit(3)


HOSTILE = {"needs arguments": lambda: NeedsArguments(1, 2), "speechless": Speechless, "leaves": Leaves,
           "huge": lambda: ValueError("x" * 2_000_000), "surrogate": lambda: ValueError("name \\udcff"),
           "controls": lambda: ValueError("\\x1b[31m\\x00\\x07")}


@app.job(executor="EXECUTOR", retry=STEADY)
DEF raises(ctx: RunContext, what: str) -> None:
    note(event="start", run=ctx.run_id, token=ctx.token)
    raise HOSTILE[what]()
"""
HOSTILE = {
    "needs arguments": "NeedsArguments",
    "speechless": "Speechless",
    "leaves": "Leaves",
    "huge": "ValueError",
    "surrogate": "ValueError",
    "controls": "ValueError",
}


@pytest.mark.parametrize("executor", EXECUTORS)
def test_an_exception_that_resists_is_recorded_with_a_safe_text(sqlite, executor):  # F11
    with asked(sqlite, RAISES, executor=executor) as app:
        workers = app.workers()
        runs = {what: app.ask("raises", what=what) for what in HOSTILE}
        app.wait_for_end(*runs.values())
        assert app.workers() == workers
        assert app.is_well()
    told = app.site.rotas(*(["show", run.id] for run in runs.values()))
    for (what, run), (code, shown) in zip(runs.items(), told, strict=True):
        assert sqlite.outcomes(run) == [Outcome.FAILED]
        assert sqlite.run(run).error.type == HOSTILE[what]
        assert len(sqlite.run(run).error.message) < 10_000
        assert code == 0
        assert shown.isprintable() is False  # lines, and nothing worse:
        assert not set(shown) & {"\x1b", "\x07", "\x00"}


CHANGES = """
import locale


@app.job(executor="EXECUTOR", retry=STEADY)
DEF changes(ctx: RunContext, what: str) -> None:
    note(event="start", run=ctx.run_id, token=ctx.token)
    match what:
        case "descriptors":
            os.closerange(3, 1000)
        case "directory":
            os.chdir("/")
        case "umask":
            os.umask(0o777)
        case "environment":
            os.environ["CANARY"] = "dead"
        case "locale":
            locale.setlocale(locale.LC_ALL, "C.UTF-8" if locale.setlocale(locale.LC_ALL) == "C" else "C")
        case "signals":
            signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())


@app.job(executor="EXECUTOR", retry=STEADY)
DEF looks(ctx: RunContext) -> dict:
    umask = next(line for line in open("/proc/self/status") if line.startswith("Umask:"))
    return {
        "directory": os.getcwd(), "environment": os.environ.get("CANARY"), "umask": umask,
        "locale": locale.setlocale(locale.LC_ALL), "signals": sorted(map(int, signal.pthread_sigmask(0, []))),
    }
"""


@pytest.mark.parametrize("reuse", [1, 10])
def test_what_a_process_job_does_to_its_process_does_not_meet_the_next(sqlite, reuse):  # F12
    with asked(sqlite, CHANGES, executor="process", max_runs_per_child=reuse) as app:
        workers = app.workers()
        sqlite.wait_for_success(before := app.ask("looks"))
        for what in ("descriptors", "directory", "umask", "environment", "locale", "signals"):
            app.wait_for_end(app.ask("changes", what=what))
            sqlite.wait_for_success(after := app.ask("looks"))
            assert sqlite.run(after).result == sqlite.run(before).result
        assert app.workers() == workers
        assert app.is_well()


@pytest.mark.parametrize(
    ("what", "name"),
    [
        ("directory", "the working directory"),
        ("umask", "the umask"),
        ("environment", "the environment"),
        ("locale", "the locale"),
    ],
)
def test_what_a_thread_job_does_to_its_process_is_said_with_the_name_of_the_job(sqlite, what, name):  # F12
    with asked(sqlite, CHANGES, executor="thread") as app:
        app.wait_for_end(app.ask("changes", what=what))

        wait_until(lambda: f"changed for every job of this process: {name}" in app.site.logs(), what="the word")
    [said] = [line for line in app.site.logs().splitlines() if "changed for every job" in line]
    assert "changes" in said.partition("ran meanwhile")[2]


LEAVES = """
from rota import Tenant
from sqlalchemy import text

app = Rota({url!r}, tenants=[Tenant(id="acme", url={tenant!r})])
kept = []
threads = []


@app.job(executor="thread", per_tenant=True, retry=STEADY)
def prepares(ctx: RunContext) -> None:
    with ctx.tenant.begin() as db:
        db.execute(text("CREATE TABLE things (number INTEGER)"))
        db.execute(text("INSERT INTO things VALUES (1)"))


@app.job(executor="EXECUTOR", per_tenant=True, retry=STEADY)
def leaves(ctx: RunContext, held: bool) -> None:
    note(event="start", run=ctx.run_id, token=ctx.token)
    # Left open on purpose.
    db = ctx.tenant.engine.connect()
    if held:
        # So that nobody collects it.
        kept.append(db)
    db.execute(text("CREATE TEMPORARY TABLE leftover (number INTEGER)"))
    db.execute(text("UPDATE things SET number = 99"))
    for statement in {sessions!r}:
        db.execute(text(statement))
    threads.append(threading.Thread(target=time.sleep, args=(300,), daemon=True))
    threads[-1].start()
    if ctx.tenant.engine.dialect.name == "sqlite":
        return
    # Another, which goes back to the pool as it is.
    with ctx.tenant.engine.connect() as other:
        other.execute(text("CREATE TEMPORARY TABLE leftover (number INTEGER)"))
        for statement in {sessions!r}:
            other.execute(text(statement))


@app.job(executor="EXECUTOR", per_tenant=True, retry=STEADY)
def finds(ctx: RunContext) -> dict:
    found = {{}}
    with ctx.tenant.begin() as db:
        found["number"] = db.execute(text("SELECT number FROM things")).scalar()
        # The lock is free.
        db.execute(text("UPDATE things SET number = 1"))
        for name, statement in {looks!r}.items():
            found[name] = db.execute(text(statement)).scalar()
    with ctx.tenant.engine.connect() as db:
        try:
            db.execute(text("SELECT * FROM leftover"))
            found["leftover"] = True
        except Exception:
            found["leftover"] = False
    return found


@app.job(executor="thread", retry=STEADY)
def fine(ctx: RunContext) -> int:
    return os.getpid()
"""
SESSIONS = {
    "sqlite": ([], {}),
    "postgres": (
        ["SET search_path TO pg_catalog", "SELECT pg_try_advisory_lock(42)"],
        {"path": "SHOW search_path", "lock": "SELECT pg_try_advisory_xact_lock(42)"},
    ),
    "mariadb": (
        ["SET @leftover = 7", "SELECT GET_LOCK(DATABASE(), 1)"],
        {"variable": "SELECT @leftover", "lock": "SELECT IS_FREE_LOCK(DATABASE())"},
    ),
}
CLEAN = {
    "sqlite": '{"number":1,"leftover":false}',
    "postgres": '{"number":1,"path":"\\"$user\\", public","lock":true,"leftover":false}',
    "mariadb": '{"number":1,"variable":null,"lock":1,"leftover":false}',
}


@pytest.mark.parametrize("executor", ["thread", "process"])
@pytest.mark.parametrize("kind", ["sqlite", "postgres", "mariadb"])
def test_what_a_job_leaves_on_its_tenants_connection_does_not_meet_the_next(
    request, tmp_path, kind, executor
):  # F13, G11
    with on("sqlite", request, tmp_path) as ground:
        tenant = f"sqlite:///{tmp_path / 'acme.db'}"
        if kind == "sqlite":
            (tmp_path / "acme.db").touch()
        else:
            tenant = request.getfixturevalue(f"{kind}_database")
        sessions, looks = SESSIONS[kind]
        jobs = LEAVES.format(url=ground.url, tenant=tenant, sessions=sessions, looks=looks)
        with asked(ground, jobs, executor=executor, max_runs_per_child=10) as app:
            ground.wait_for_success(app.ask("prepares", tenant="acme"))
            for held in (False, True):
                for _ in range(2):
                    left = app.ask("leaves", tenant="acme", held=held)
                    app.wait_for_end(left)
                    assert ground.run(left).state is State.SUCCEEDED, ground.run(left).error
                ground.wait_for_success(found := app.ask("finds", tenant="acme"))
                assert ground.run(found).result == CLEAN[kind], f"held: {held}"
            assert app.is_well()


MUTATES = """
@app.job(executor="EXECUTOR", retry=Retry(attempts=2, base=timedelta(0), jitter=False))
DEF mutates(ctx: RunContext, basket: list, options: dict) -> list:
    note(event="start", run=ctx.run_id, token=ctx.token, basket=basket, options=options)
    basket.clear()
    options["more"] = basket
    if ctx.attempt == 1:
        raise ValueError("once more")
    return basket
"""


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_job_that_changes_its_arguments_is_given_the_old_ones_again(sqlite, executor):  # F18
    with asked(sqlite, MUTATES, executor=executor) as app:
        run = app.ask("mutates", attempts=2, basket=[1, [2]], options={"a": {"b": 1}})
        sqlite.wait_for_success(run)
    first, second = app.starts(run)
    assert first["basket"] == second["basket"] == [1, [2]]
    assert first["options"] == second["options"] == {"a": {"b": 1}}


ABROAD = """
@app.job(executor="process", timeout="1s", retry=STEADY)
def abroad(ctx: RunContext, how: str) -> str:
    note(event="start", run=ctx.run_id, token=ctx.token)
    print("Zürich, 東京")
    subprocess.Popen("(setsid sleep 300 &)", shell=True)
    if how == "hangs":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(300)
    return "Zürich"
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="a namespace of its own needs root")
def test_as_process_1_without_a_home_or_a_locale_children_work_and_end(sqlite):  # I12, F6
    site = misbehaving(sqlite, ABROAD)
    bare = {"PATH": os.environ["PATH"], "LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    bare["PYTHONPATH"] = f"{site.environment()['PYTHONPATH']}:{site.folder}"
    unshare = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    runs = [ask(sqlite, "abroad", how=how) for how in ("returns", "hangs")]
    with (site.folder / "log-container").open("w") as log:
        command = [*unshare, *site.command("start", "--app", "app:app", "--processes", "1")]
        container = subprocess.Popen(command, cwd=site.folder, env=bare, stdout=log, stderr=log, text=True)
        try:
            wait_until(lambda: all(sqlite.run(run).state.is_final for run in runs), what="the end of both runs")
            [first] = children_of(container.pid)
            below = descendants(first)
            # Its worker process, and that one's spawner: what the jobs left is gone.
            wait_until(lambda: len(descendants(first)) <= 2, what=f"the end of what they left: {below}")
            os.kill(first, signal.SIGTERM)
            assert container.wait(timeout=30) == 0, site.logs()
        finally:
            kill_tree(container)
    assert not any(is_alive(pid) for pid in below)
    assert [sqlite.outcomes(run) for run in runs] == [[Outcome.SUCCEEDED], [Outcome.TIMED_OUT]]
    assert sqlite.run(runs[0]).result == '"Zürich"'
    assert "Zürich, 東京" in site.rota("logs", runs[0].id).stdout
