"""The project's own files, read once, for the tests of the house."""

import ast
import subprocess
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@cache
def files(*suffixes: str) -> tuple[Path, ...]:
    """Return the files that belong to the project (tracked, or new and not ignored), those with `suffixes` if given."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = [ROOT / name for name in listed.split("\0") if name]
    return tuple(sorted(path for path in paths if path.is_file() and (not suffixes or path.suffix in suffixes)))


def library() -> list[Path]:
    """Return the Python files of the package."""
    return [path for path in files(".py") if shown(path).startswith("rota/")]


def shown(path: Path) -> str:
    """Return the path as it is written in messages and lists: from the root, with slashes."""
    return path.relative_to(ROOT).as_posix()


@cache
def text(path: Path) -> str:
    """Return what is in the file."""
    return path.read_text(encoding="utf-8")


def mentioning(words: Iterable[str], paths: Iterable[Path]) -> list[Path]:
    """Return the files in which one of the words stands at all: of a thousand, few are worth parsing."""
    words = tuple(words)
    return [path for path in paths if any(word in text(path) for word in words)]


@cache
def tree(path: Path) -> ast.Module:
    """Return the parsed file."""
    return ast.parse(text(path), filename=shown(path))


def functions(path: Path) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Yield each function of the file with its dotted name inside of it."""

    def inside(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield prefix + child.name, child
                yield from inside(child, f"{prefix}{child.name}.")
            elif isinstance(child, ast.ClassDef):
                yield from inside(child, f"{prefix}{child.name}.")
            else:
                yield from inside(child, prefix)

    yield from inside(tree(path), "")


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Return every node of the file."""
    return tuple(ast.walk(tree(path)))


@cache
def imported_names(path: Path) -> dict[str, str]:
    """Return what each imported name of the file stands for: `{"sleep": "time.sleep", "dt": "datetime"}`."""
    names = {}
    for node in nodes(path):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]
                names[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def dotted(node: ast.AST, names: dict[str, str]) -> str | None:
    """Return the full dotted name that an expression refers to, or None when it is no plain name."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return ".".join([names.get(node.id, node.id), *reversed(parts)])


@cache
def references(path: Path) -> frozenset[str]:
    """Return every dotted name that the file uses or imports, resolved through its imports."""
    return frozenset(_references(path))


def _references(path: Path) -> Iterator[str]:
    names = imported_names(path)
    for node in nodes(path):
        if isinstance(node, ast.Name | ast.Attribute) and (name := dotted(node, names)):
            yield name
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield f"{node.module}.{alias.name}"


def allow_only(excepted: dict[str, str], found: set[str]) -> None:
    """Fail unless the findings are the named exceptions.

    An exception that is no longer needed is a finding too: the list must not rot.
    """
    __tracebackhide__ = True
    lines = [f"not allowed: {one}" for one in sorted(found - set(excepted))]
    lines += [f"exception no longer needed: {one}" for one in sorted(set(excepted) - found)]
    if lines:
        pytest.fail("\n".join(lines), pytrace=False)
