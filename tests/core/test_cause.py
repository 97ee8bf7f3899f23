"""Failures of many tenants that have one cause are one, whatever numbers their messages carry (R23)."""

import pytest

from rota.core.cause import UNSAID, causes, print_of
from rota.core.model import ErrorReport, State
from tests.values import a_run


def an_error(message, kind="ValueError"):
    return ErrorReport(type=kind, message=message)


def failed(error):
    return print_of(a_run(error=error))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("row 17 is odd", "row 4 is odd"),
        ("took 1.5s of 3,000", "took 20.25s of 12"),
        ("object at 0x7f3a2b", "object at 0x99ffee"),
        ("run 0197aa00b1c2 is gone", "run 0198ff00d4e5 is gone"),
        ("id 0b9c4a8e-53f1-4c2f-9a51-7d1e2f3a4b5c", "id 1c9c4a8e-53f1-4c2f-9a51-7d1e2f3a4b5d"),
        ("the same\nand then line 1", "the same\nand then something else"),
    ],
)
def test_numbers_and_later_lines_make_no_difference(one, other):  # R23
    assert failed(an_error(one)) == failed(an_error(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (an_error("no file"), an_error("no row")),
        (an_error("no file"), an_error("no file", kind="OSError")),
        (an_error("facade"), an_error("decade")),
    ],
)
def test_words_and_types_do(one, other):  # R23
    assert failed(one) != failed(other)


def test_causes_come_most_frequent_first_with_their_tenants_each_once():  # R23
    runs = [
        a_run(tenant="acme", state=State.FAILED, error=an_error("row 1 is odd")),
        a_run(tenant="globex", state=State.FAILED, error=an_error("no file")),
        a_run(tenant="hooli", state=State.FAILED, error=an_error("row 2 is odd")),
        a_run(tenant="hooli", state=State.FAILED, error=an_error("row 3 is odd")),
        a_run(tenant="acme", state=State.CANCELLED, reason="wrong day"),
        a_run(tenant=None, state=State.FAILED),
    ]

    found = causes(runs)

    assert [(cause.error, cause.count, cause.tenants) for cause in found] == [
        ("ValueError: row 1 is odd", 3, ["acme", "hooli"]),
        ("ValueError: no file", 1, ["globex"]),
        (UNSAID, 1, []),
        ("wrong day", 1, ["acme"]),
    ]


def test_a_message_of_a_megabyte_takes_no_time_and_no_broken_character_ends_it():
    assert len(failed(an_error("a-" * 500_000))) == 16
    assert len(failed(an_error("\ud800"))) == 16
