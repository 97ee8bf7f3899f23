"""A name says what a thing is in this trade."""

import ast
import re

import pytest

from tests.house.source import allow_only, functions, library, nodes, shown

# One worker reads all files, and keeps them; each of four would take seconds and 100 MB for it.
pytestmark = pytest.mark.xdist_group("house")

EMPTY_WORDS = {"manager", "helper", "helpers", "util", "utils", "base", "data", "info", "misc", "common"}
# The nouns of the design have no synonyms: job, run, tenant and store.
SYNONYMS = {"task", "tasks", "execution", "executions", "customer", "customers", "backend", "backends"}
EMPTY_VERBS = {"process", "handle"}

DJANGO = "Django's own words for what it calls"
EXCEPTIONS: dict[str, str] = {
    f"rota/integrations/django/{name}": DJANGO
    for name in (
        "task_framework.py",
        "task_results.py",
        "tasks.py",
        "tasks.py: RotaTask",
        "tasks.py: TasksBackend",
    )
}
VERBS = {
    f"rota/integrations/django/management/commands/{name}.py: Command.handle": "what Django calls of a command"
    for name in ("cronlist", "cronmarksuccess", "cronreset", "cronrun", "rota")
}


def words(name):
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def test_no_class_and_no_module_has_an_empty_name():
    modules = {shown(path): path.parent.name if path.stem == "__init__" else path.stem for path in library()}
    classes = {
        f"{shown(path)}: {node.name}": node.name
        for path in library()
        for node in nodes(path)
        if isinstance(node, ast.ClassDef)
    }

    found = {place for place, name in (modules | classes).items() if words(name) & (EMPTY_WORDS | SYNONYMS)}

    allow_only(EXCEPTIONS, found)


def test_no_function_is_called_process_or_handle():
    found = {
        f"{shown(path)}: {name}" for path in library() for name, node in functions(path) if node.name in EMPTY_VERBS
    }

    allow_only(VERBS, found)
