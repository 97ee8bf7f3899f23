"""Where a door may open (R62, T8, T9): every combination of bind, key, names and mode."""

from itertools import product

import pytest

from rota.core.exposure import Exposure, trouble


@pytest.mark.parametrize("on_loopback", [True, False, None])
@pytest.mark.parametrize("in_development", [True, False])
def test_a_door_without_authentication_opens_in_development_on_loopback_alone(on_loopback, in_development):  # T9
    for has_keys, has_names in product([True, False], repeat=2):
        door = Exposure(
            on_loopback=on_loopback,
            in_development=in_development,
            is_off=True,
            has_keys=has_keys,
            has_names=has_names,
        )

        # Where another application binds, each request is looked at instead.
        assert (trouble(door) is None) == (in_development and on_loopback is not False)


@pytest.mark.parametrize("on_loopback", [True, False, None])
@pytest.mark.parametrize("has_keys", [True, False])
@pytest.mark.parametrize("has_names", [True, False])
def test_a_door_that_others_reach_needs_a_key_and_its_names(on_loopback, has_keys, has_names):  # T8, T39
    for in_development in (True, False):
        door = Exposure(
            on_loopback=on_loopback,
            in_development=in_development,
            is_off=False,
            has_keys=has_keys,
            has_names=has_names,
        )

        assert (trouble(door) is None) == (has_keys and (has_names or on_loopback is not False))


def test_a_door_whose_host_says_who_asks_needs_a_host():  # R62
    door = {"on_loopback": None, "in_development": False, "is_off": False, "by_host": True}

    assert trouble(Exposure(has_host=True, **door)) is None
    assert "resolve_user" in trouble(Exposure(has_host=False, **door))
