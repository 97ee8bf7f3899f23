"""The repository says nothing about where it was made, promises nothing it has not done, and links to what exists."""

import re
import tomllib
from urllib.parse import unquote

import pytest

from tests.house.source import ROOT, files, shown, text

TEXT = {".py", ".md", ".toml", ".txt", ".sh", ".yml", ".cfg", ".ini", ".html", ".sql", ".svg", ".mako", ""}

# Put together from parts, so that this file does not find itself.
MACHINE = ["/" + "work/", "/" + "root/", "/" + "home/", "/" + "Users/", "bash_" + "jobs"]
REGISTRIES = [
    "pypi" + ".org/simple",
    "pythonhosted" + ".org",
    "--index" + "-url",
    "--extra-index" + "-url",
    "file" + "://",
]
PROMISES = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "NotImplemented" + "Error"]

DECISIONS = ROOT / "docs" / "internals" / "decisions"
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|<img [^>]*src=\"([^\"]+)\"|!\[[^\]]*\]\(([^)\s]+)\)")
NAMED_FILE = re.compile(r"`([\w./-]+\.(?:py|lua|md|toml))`")
TARGETS = ["setup", "demo", "test", "check", "lint", "bench", "soak", "docs", "clean"]


def texts():
    for path in files():
        if path.suffix in TEXT:
            yield shown(path), text(path)


def places(words):
    return [
        f"{name}:{number}: {word}"
        for name, content in texts()
        for word in words
        if word in content
        for number, line in enumerate(content.splitlines(), start=1)
        # A folder of the project may have such a name: only an absolute path is a finding.
        if re.search(rf"(?<![\w.-]){re.escape(word)}", line)
    ]


def test_no_file_names_a_path_of_the_machine_it_was_written_on():
    assert not places(MACHINE)


def test_no_file_names_a_registry():
    assert not places(REGISTRIES)


def test_nothing_is_left_for_later_in_a_comment():
    assert not places(PROMISES)


def test_no_merge_was_left_half_done():
    marks = re.compile(r"^(?:<{7} |={7}$|>{7} )", re.MULTILINE)

    assert not [name for name, content in texts() if marks.search(content)]


def headings(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    return {
        re.sub(r"[^\w\- ]", "", line.lstrip("#").strip().lower()).replace(" ", "-") for line in lines if line[:1] == "#"
    }


@pytest.mark.parametrize("path", files(".md"), ids=shown)
def test_every_link_in_the_documents_leads_somewhere(path):
    broken = []
    for match in LINK.finditer(path.read_text(encoding="utf-8")):
        link = next(group for group in match.groups() if group)
        if "://" in link or link.startswith("mailto:"):
            continue
        target, _, anchor = unquote(link).partition("#")
        file = (path.parent / target) if target else path
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in headings(file)):
            broken.append(link)

    assert not broken


def test_what_contributors_are_told_to_read_is_there():
    known = {shown(path) for path in files()}
    told = [ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs" / "internals").rglob("*.md"))]

    lost = [
        f"{shown(path)}: {named}"
        for path in told
        for named in NAMED_FILE.findall(text(path))
        if not any(one == named or one.endswith(f"/{named}") for one in known)
    ]

    assert lost == []


def test_decision_records_are_numbered_without_a_gap():
    numbers = [int(path.name.split("-")[0]) for path in sorted(DECISIONS.glob("*.md"))]

    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("path", sorted(DECISIONS.glob("*.md")), ids=lambda path: path.name)
def test_a_decision_record_says_why_and_what_follows(path):
    text = path.read_text(encoding="utf-8")

    assert text.startswith(f"# {int(path.name[:4])}. ")
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## Context",
        "## Decision",
        "## Consequences",
    ]


def test_the_licence_is_there():
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")
    assert (ROOT / "rota" / "py.typed").exists()


def test_the_changelog_knows_this_version():
    from rota import __version__

    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def normal(name):
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", name)[0]).lower()


def test_every_dependency_is_pinned_by_name_and_version_alone():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    lines = (ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]

    assert [line for line in pins if not re.fullmatch(r"[\w.-]+==[\w.!+-]+", line)] == []
    assert {normal(name) for name in asked} - {"rota"} <= {normal(line) for line in pins}


def test_make_help_lists_every_target():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    listed = re.findall(r"^([a-z]+):.*## ", makefile, flags=re.MULTILINE)
    defined = re.findall(r"^([a-z]+):", makefile, flags=re.MULTILINE)

    assert listed == defined
    assert set(TARGETS) <= set(listed)
