"""What a run carries, as text and back (R37)."""

from datetime import date

import pytest

from rota.core.carried import pack, unpack
from rota.errors import ArgumentsNotJson, CarriedUnreadable


def test_values_come_back_as_they_were():
    values = {"day": date(2026, 11, 29), "path": ["a", 1], "$odd": {"$date": 3}}

    assert unpack(pack(values)) == values


def test_nothing_is_no_text():
    assert pack({}) is None
    assert unpack(None) == {}


def test_what_has_no_json_form_is_refused_by_its_name_and_without_its_value():
    with pytest.raises(ArgumentsNotJson, match=r"^carried 'request'\.user: ") as refusal:
        pack({"request": {"user": object()}})

    assert "object at" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not JSON"),
        ("[]", "no JSON object"),
        ('{"values":{}}', "version None, and this code knows version 1"),
        ('{"version":2,"values":{}}', "version 2, and this code knows version 1"),
        ('{"version":1}', "no object 'values'"),
        ('{"version":1,"values":[]}', "no object 'values'"),
    ],
)
def test_broken_text_and_another_version_are_told_apart(text, reason):
    with pytest.raises(CarriedUnreadable, match=reason):
        unpack(text)
