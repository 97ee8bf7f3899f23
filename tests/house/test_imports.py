"""Imports go down the floors, stand at the top, and do nothing."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.source import ROOT, allow_only, library, nodes, shown, tree

# A surface may import the public names; whoever stands below them would import itself.
MAY_IMPORT_THE_ROOT = ("rota/cli/", "rota/web/", "rota/integrations/", "rota/testing", "rota/__main__.py")

CORE_MAY_IMPORT = {"rota", "cronsim", "msgspec"}

# The commands are loaded one by one, and what they draw with only when they draw.
LAZY_FOLDERS = ("rota/cli/",)
IMPORTS_INSIDE_FUNCTIONS = {
    "rota/app.py": "the door, for who mounts it; OpenTelemetry, for who traces",
    "rota/tenancy.py": "SQLAlchemy, for tenants with databases, and jobs that ask whether an effect is the first",
    "rota/stores/__init__.py": "the one store that is opened, and nothing of the others",
    "rota/metrics/__init__.py": "the client of Prometheus, for who asks for an exposition; jobs import this to count",
    "rota/hosts/rendering.py": "the template engine, for who writes files of a host",
    "rota/pages/render.py": "the template engine, for who writes a status page",
    "rota/reach/__init__.py": "HTTP and TLS, when something is asked of the web",
    "rota/notifiers/__init__.py": "the channels that are configured, and nothing of the others",
    "rota/tenants/databases.py": "SQLAlchemy, for sources that ask a database",
    "rota/tenants/table.py": "SQLAlchemy, for sources that ask a database",
    "rota/stores/sql/schema.py": "Alembic, which only a move of the schema needs",
    "rota/handle.py": "asyncio, for those who await and nobody else",
    "rota/flow_handle.py": "asyncio, for those who await and nobody else",
    "rota/context.py": "asyncio, for coroutine jobs and nobody else",
    "rota/executors/inline.py": "asyncio, for coroutine jobs and nobody else",
    "rota/other_drivers.py": "drivers, for applications whose connections are of them",
    "rota/transactions.py": "SQLAlchemy, for applications that enqueue within a transaction of it",
    "rota/outfit.py": "the executors of coroutine and process jobs, for applications that have any",
    "rota/integrations/flask/extension.py": "SQLAlchemy, for applications that have Flask-SQLAlchemy",
    "rota/integrations/django/checks.py": "the tasks of Django, for projects that name our backend",
    "rota/integrations/django/__init__.py": "the project, whose settings name this package",
    "rota/views/store.py": "SQLAlchemy, for the one command that asks for a schema as text",
}

FRAMEWORKS = {"celery", "django", "fastapi", "flask", "huey", "starlette"}
HEAVY = FRAMEWORKS | {"sqlalchemy", "alembic", "jinja2", "rich", "psycopg", "pymysql", "http.client", "smtplib", "ssl"}

IMPORT_EVERYTHING = """
import importlib, logging, os, pkgutil, sys, threading
before = dict(os.environ), set(os.listdir("/proc/self/fd")), set(os.listdir())
import rota
# What belongs to a project of a framework is imported by that, and reads its settings.
NEED_A_PROJECT = ("rota.integrations.django.", "rota.integrations.flask.project")
names = [module.name for module in pkgutil.walk_packages(rota.__path__, "rota.")]
for name in names:
    if not name.endswith("__main__") and not name.startswith(NEED_A_PROJECT):
        importlib.import_module(name)
assert dict(os.environ) == before[0], "the environment changed"
assert set(os.listdir("/proc/self/fd")) <= before[1], "a file or a connection is open"
assert set(os.listdir()) == before[2], "a file appeared"
assert threading.active_count() == 1, threading.enumerate()
assert not logging.getLogger().handlers, "the root logger has a handler"
print(len(names))
"""


def run(code, *, cwd=None):
    # -B: no .pyc file appears where the test looks for new files.
    return subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=cwd or ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def test_imports_keep_to_the_floors():
    # Its cache does not notice that a module which was imported before it existed is there now.
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_core_imports_the_standard_library_cronsim_and_msgspec():
    allowed = CORE_MAY_IMPORT | sys.stdlib_module_names
    found = {
        f"{shown(path)}: {module}"
        for path in library()
        if shown(path).startswith("rota/core/")
        for module in imported_modules(path)
        if module.partition(".")[0] not in allowed
    }

    assert not found


def imported_modules(path):
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "."


def test_only_surfaces_import_the_public_names():
    folders = {path.stem for path in (ROOT / "rota").iterdir()}
    found = {
        f"{shown(path)}: {alias.name}"
        for path in library()
        if not shown(path).startswith(MAY_IMPORT_THE_ROOT)
        for node in nodes(path)
        if isinstance(node, ast.ImportFrom) and node.module == "rota"
        for alias in node.names
        if alias.name not in folders and alias.name != "__version__"
    }

    assert not found


def guards_an_extra(node):
    """Tell whether a `try` turns a missing module into a MissingExtra."""
    return any(isinstance(one, ast.Name) and one.id == "MissingExtra" for one in ast.walk(node))


def hidden_imports(path):
    for function in ast.walk(tree(path)):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            optional = {
                id(inner)
                for node in ast.walk(function)
                if isinstance(node, ast.Try) and guards_an_extra(node)
                for inner in ast.walk(node)
            }
            for node in ast.walk(function):
                if isinstance(node, ast.Import | ast.ImportFrom) and id(node) not in optional:
                    yield shown(path)


def test_imports_stand_at_the_top():
    found = {place for path in library() if not shown(path).startswith(LAZY_FOLDERS) for place in hidden_imports(path)}

    allow_only(IMPORTS_INSIDE_FUNCTIONS, found)


@pytest.mark.parametrize(
    ("statement", "heavy"),
    [
        ("import rota", HEAVY | {"click"}),
        ("import rota.cli", HEAVY),
        (
            "import rota.integrations.fastapi",
            {"sqlalchemy", "alembic", "rich", *(FRAMEWORKS - {"fastapi", "starlette"})},
        ),
        ("import rota.integrations.starlette", {"sqlalchemy", "alembic", "rich", *(FRAMEWORKS - {"starlette"})}),
        # Celery itself loads what it finds of Django.
        (
            "import rota.integrations.celery",
            {"sqlalchemy", "alembic", "rq", "rich", *(FRAMEWORKS - {"celery", "django"})},
        ),
        # Flask itself loads http.client and jinja2.
        ("import rota.integrations.flask", {"sqlalchemy", "alembic", "flask_sqlalchemy", "starlette", "rich"}),
    ],
)
def test_what_is_heavy_loads_only_when_it_is_used(statement, heavy):
    done = run(f"{statement}, sys; print(*({heavy!r} & set(sys.modules)))")

    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_importing_does_nothing(tmp_path):
    done = run(f"import sys; sys.path.insert(0, {str(ROOT)!r})" + IMPORT_EVERYTHING, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10
