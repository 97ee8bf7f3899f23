"""Names of files made of names that people gave."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.core.page_name import page_name


@pytest.mark.parametrize("name", ["all_tests_cronjob", "nightly-report", "A9", "x" * 80])
def test_a_plain_name_stays_as_it_is(name):
    assert page_name(name) == name


@pytest.mark.parametrize(
    "name", ["../../x", "a/b", ".", "..", "", "a\0b", "x" * 300, "-rf", ".hidden", "näme", "a b", "a\nb", "CON.txt"]
)
def test_any_other_name_becomes_a_safe_one(name):  # T48
    made = page_name(name)

    assert made.replace("_", "").replace("-", "").isalnum()
    assert made.isascii()
    assert not made.startswith("-")
    assert len(made) <= 91


@given(st.text(), st.text())
def test_two_names_have_two_files(first, second):  # T48
    assert (page_name(first) == page_name(second)) == (first == second)


def test_names_that_look_alike_have_two_files():  # T48
    assert len({page_name(name) for name in ("a/b", "a_b", "a.b", "a b", "a\\b")}) == 5
