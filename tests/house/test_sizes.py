"""A file does one job, and a function fits on a screen."""

from statistics import median

import pytest

from tests.house.source import allow_only, files, functions, library, shown

# One worker reads all files, and keeps them; each of four would take seconds and 100 MB for it.
pytestmark = pytest.mark.xdist_group("house")

FILE_LINES = 500
MEDIAN_LINES = 130
FUNCTION_LINES = 60

LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}


def lines(path):
    return len(path.read_text(encoding="utf-8").splitlines())


def test_no_file_is_over_500_lines():
    found = {shown(path) for path in files(".py") if lines(path) > FILE_LINES}

    allow_only(LONG_FILES, found)


def test_most_files_of_the_library_are_under_130_lines():
    assert median(lines(path) for path in library()) < MEDIAN_LINES


def test_a_function_fits_on_a_screen():
    found = {
        f"{shown(path)}: {name}"
        for path in library()
        for name, node in functions(path)
        if node.end_lineno - node.lineno + 1 > FUNCTION_LINES
    }

    allow_only(LONG_FUNCTIONS, found)
