"""Calls that cost somebody a night: each is banned with a reason, and each exception has one too."""

import ast

import pytest

from tests.house.source import allow_only, dotted, files, imported_names, library, mentioning, nodes, references, shown

# One worker reads all files, and keeps them; each of four would take seconds and 100 MB for it.
pytestmark = pytest.mark.xdist_group("house")

CLOCK = {
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.date.today",
    "time.time",
    "time.time_ns",
    "time.monotonic",
    "time.monotonic_ns",
    "time.perf_counter",
    "time.perf_counter_ns",
    "time.sleep",
}
CLOCK_EXCEPTIONS = {
    "rota/clock.py": "the only file that asks the time or sleeps",
}

# T1, T2, T4, T64, T71: code from text, shells, predictable names.
DANGEROUS = {
    "pickle",
    "cPickle",
    "dill",
    "cloudpickle",
    "marshal",
    "shelve",
    "yaml",
    "eval",
    "exec",
    "compile",
    "os.system",
    "os.popen",
    "tempfile.mktemp",
    "multiprocessing.Queue",
    "multiprocessing.SimpleQueue",
    "xml",
}
DANGEROUS_EXCEPTIONS: dict[str, str] = {}

IMPORT_BY_NAME = {"importlib.import_module", "__import__", "pkgutil.resolve_name"}
IMPORT_BY_NAME_EXCEPTIONS = {
    "rota/place.py": "the application, in the spawner, as its own worker named it; and what the settings name",
    "rota/cli/discovery.py": "the application's module, as its operator named it",
    "rota/cli/root.py": "commands, from a table in that file",
}

ENVIRONMENT = {"os.environ", "os.getenv", "os.environb"}
ENVIRONMENT_EXCEPTIONS = {
    "rota/cli/hosting.py": "FLASK_APP and DJANGO_SETTINGS_MODULE, which a file for a host has to name",
    "rota/cli/session.py": "hands it to the settings",
    "rota/cli/commands/config.py": "names the variables that nothing reads",
    "rota/integrations/celery/station.py": "hands it to the settings, in a process of Celery's",
    "rota/integrations/django/configuration.py": "hands it to the settings",
    "rota/integrations/django/management/commands/rota.py": "tells worker processes which application, and where",
    "rota/integrations/flask/configuration.py": "hands it to the settings",
    "rota/integrations/flask/loading.py": "FLASK_APP, as `flask` reads it, and for worker processes",
    "rota/engine/surroundings.py": "compares it with what it was",
    "rota/cli/output.py": "NO_COLOR and TERM describe the terminal, not Rota",
    "rota/executors/spawning.py": "child processes get what the settings allow of it",
    "rota/executors/wear.py": "compares it before and after a job",
}

STARTS_THREADS = {
    "threading.Thread",
    "threading.Timer",
    "concurrent.futures.ThreadPoolExecutor",
    "concurrent.futures.ProcessPoolExecutor",
    "multiprocessing.Process",
    "asyncio.to_thread",
}
STARTS_THREADS_EXCEPTIONS = {
    "rota/engine/loop.py": "the services' threads",
    "rota/engine/probes.py": "a tenant's database that hangs while it is tried must not hold up the others",
    "rota/executors/thread.py": "the jobs' threads",
    "rota/executors/fleet.py": "the threads that send messages, and wait for a broker",
    "rota/integrations/called.py": "calls of a client library that blocks, beside the event loop",
    "rota/executors/inline.py": "a coroutine job that is executed inline where a loop runs already",
    "rota/executors/asyncio_.py": "the thread of the event loop; and what would hold it up",
    "rota/child.py": "hears the stop signal while the main thread runs a job",
    "rota/integrations/django/databases.py": "aenqueue, where no thread has the models of the coroutine",
    "rota/integrations/django/tasks.py": "aget_result: Django's own way has one thread for all",
    "rota/handle.py": "aresult, for those who await",
    "rota/transactions.py": "aenqueue is enqueue in a thread of asyncio's",
    "rota/flow_handle.py": "aresult asks the store in a thread of asyncio's",
}

BROAD_CATCHES = {
    "rota/child.py": "the application's import, the error of each run that needs it; and a log handler's own",
    "rota/executors/attending.py": "around what a job in a child asks of its parent: it is raised there, in the job",
    "rota/engine/loop.py": "around a tick: published as ServiceFailed",
    "rota/engine/worker.py": "around what an application's log does at the end of a run: published as ServiceFailed",
    "rota/engine/tap.py": "around what is made of a job's output, so that it is never the job that fails: logged once",
    "rota/engine/bus.py": "around a subscriber: logged",
    "rota/engine/probes.py": "around a tenant's database driver, when it is tried: kept as why it cannot be reached",
    "rota/engine/alerts/deliverer.py": "around a notifier, which may be anybody's: kept with the delivery, and logged",
    "rota/executors/asyncio_.py": "around a coroutine job, and around what its tasks raise to end the loop: logged",
    "rota/executors/call.py": "around a job, which may raise anything, also while its error is described",
    "rota/engine/bookkeeper.py": "around the counting of what ended, which never stops a worker: logged once",
    "rota/metrics/otel.py": "around what exporters of the application do, which never fails a run: logged once",
    "rota/numbers.py": "around the counting of what a job counts, which never fails a job: logged",
    "rota/integrations/celery/fleet.py": "around a hint to a broker, which is no matter of the run: logged",
    "rota/integrations/called.py": "around the recall of a task from a queue, which is no matter of the run: logged",
    "rota/gathering.py": "around what is written for several: each is then written alone, and told its own error",
    "rota/web/gate.py": "around what an application says of who asks: logged, and nobody passes",
    "rota/redaction.py": "around the search for secrets: the text is withheld, and says so",
}

# Each is a field that has this name; a timedelta has none of these files' attention.
SECONDS_EXCEPTIONS = {
    "rota/core/cron.py": "a field of a cron expression",
    "rota/core/wall.py": "a field of a cron expression",
}

STORE_FILES_EXCEPTIONS = {
    "rota/stores/sql/sqlite.py: Path('/proc/self/mounts').read_text": "the kernel's table of mounts",
    "rota/stores/redis/scripts.py: (files('rota.stores.redis') / 'lua' / path).read_text": "scripts of the package",
    "rota/stores/waking.py: self._source.open": "a connection, by our own protocol",
}

SQL_TEXT_EXCEPTIONS = {
    "rota/tenants/connection.py": "whole statements, from constants of the sources",
    "rota/stores/sql/migrations/versions/0001_first.py": "conditions of partial indexes, from constants of that module",
    "rota/stores/sql/migrations/making.py": "the names of indexes, from constants of the migrations",
    "rota/stores/sql/migrations/versions/0004_queue.py": "the names of indexes, from constants of that module",
    "rota/stores/sql/migrations/versions/0003_gates.py": "defaults and conditions, from constants of that module",
    "rota/stores/sql/marks.py": "generated columns, from constants of that module",
    "rota/stores/sql/making.py": "conditions of partial indexes, from constants of that module",
}


def users_of(banned, paths):
    def is_banned(name):
        return any(name == one or name.startswith(f"{one}.") for one in banned)

    # Whatever it is imported as, the last part of its name is written somewhere.
    suspects = mentioning({name.rpartition(".")[2] for name in banned}, paths)
    return {shown(path) for path in suspects for name in references(path) if is_banned(name)}


@pytest.mark.parametrize(
    ("banned", "excepted"),
    [
        pytest.param(CLOCK, CLOCK_EXCEPTIONS, id="time is an argument: only the clock asks for it"),
        pytest.param(DANGEROUS, DANGEROUS_EXCEPTIONS, id="no code comes out of text"),
        pytest.param(IMPORT_BY_NAME, IMPORT_BY_NAME_EXCEPTIONS, id="names resolve in a registry, not by import"),
        pytest.param(ENVIRONMENT, ENVIRONMENT_EXCEPTIONS, id="the environment is read once, as settings"),
        pytest.param(STARTS_THREADS, STARTS_THREADS_EXCEPTIONS, id="the loop and the executors own all threads"),
    ],
)
def test_banned_names_stay_where_they_are_allowed(banned, excepted):  # T1, T2, T4
    allow_only(excepted, users_of(banned, library()))


def test_nothing_in_the_repository_uses_pickle_or_a_shell_string():  # T1, T4
    python = [path for path in files(".py") if not shown(path).startswith("tests/house/")]

    assert not users_of({"pickle", "marshal", "shelve", "dill", "os.system", "os.popen"}, python)


def keywords(path):
    for node in nodes(path):
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                if isinstance(keyword.value, ast.Constant):
                    yield keyword.arg, keyword.value.value


def test_no_call_asks_for_a_shell_or_skips_a_certificate():  # T4, T68
    found = {
        f"{shown(path)}: {name}={value}"
        for path in mentioning(("shell", "verify", "check_hostname"), files(".py"))
        for name, value in keywords(path)
        if (name, value) in {("shell", True), ("verify", False), ("check_hostname", False)}
    }

    assert not found


def test_a_duration_is_compared_whole():
    # Of a timedelta of one day, `.seconds` is 0.
    found = {
        shown(path)
        for path in library()
        for node in nodes(path)
        if isinstance(node, ast.Attribute) and node.attr == "seconds" and isinstance(node.ctx, ast.Load)
    }

    allow_only(SECONDS_EXCEPTIONS, found)


def test_the_stores_never_open_a_file_of_theirs_by_hand():
    # Closing any handle to an SQLite file or its -shm drops the process's locks on it, and an acknowledged write of
    # another process is lost. Sizes come from stat, copies from the SQL API.
    opening = {"open", "os.open", "io.open"}
    methods = {"open", "read_bytes", "read_text", "write_bytes", "write_text"}
    found = {
        f"{shown(path)}: {ast.unparse(node.func)}"
        for path in library()
        if shown(path).startswith("rota/stores/")
        for node in nodes(path)
        if isinstance(node, ast.Call)
        and (
            dotted(node.func, imported_names(path)) in opening
            or (isinstance(node.func, ast.Attribute) and node.func.attr in methods)
        )
    }

    allow_only(STORE_FILES_EXCEPTIONS, found)


def test_no_sql_is_put_together_from_strings():  # R26
    found = {
        shown(path)
        for path in library()
        for node in nodes(path)
        if isinstance(node, ast.Call)
        and dotted(node.func, imported_names(path)) == "sqlalchemy.text"
        and not all(isinstance(argument, ast.Constant) for argument in node.args)
    }

    allow_only(SQL_TEXT_EXCEPTIONS, found)


def catches_all(handler):
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or (isinstance(kind, ast.Name) and kind.id in BROAD) for kind in kinds)


def raises_again(handler):
    return any(isinstance(node, ast.Raise) for node in handler.body)


BROAD = {"Exception", "BaseException"}


def test_broad_catches_stand_only_where_a_failure_is_recorded():
    found = {
        shown(path)
        for path in library()
        for node in nodes(path)
        if isinstance(node, ast.ExceptHandler) and catches_all(node) and not raises_again(node)
    }

    allow_only(BROAD_CATCHES, found)


def test_no_failure_is_swallowed():
    silent = {
        f"{shown(path)}:{node.lineno}"
        for path in library()
        for node in nodes(path)
        if isinstance(node, ast.ExceptHandler) and catches_all(node) and isinstance(node.body[0], ast.Pass)
    }
    suppressed = {
        f"{shown(path)}:{node.lineno}"
        for path in library()
        for node in nodes(path)
        if isinstance(node, ast.Call)
        and dotted(node.func, imported_names(path)) == "contextlib.suppress"
        and any(isinstance(argument, ast.Name) and argument.id in BROAD for argument in node.args)
    }

    assert not silent | suppressed
