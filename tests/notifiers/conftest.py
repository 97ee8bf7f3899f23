"""What tests of channels share."""

import pytest

from tests.clocks import FakeClock


@pytest.fixture
def clock():
    """A clock that stands at noon."""
    return FakeClock()
