"""How users test their jobs: what was enqueued, what it does, and what happens when something breaks.

    with rota.testing.capture(app) as jobs:
        sign_up("ana@example.org")
        jobs.assert_enqueued(send_welcome, args=("ana@example.org",))
        jobs.drain()

The fixtures for pytest stand in `rota.testing.plugin`.
"""

from rota.inline import Inline
from rota.testing.calls import Enqueued
from rota.testing.captured import Captured, capture
from rota.testing.clock import FakeClock
from rota.testing.faults import Moment

__all__ = ["Captured", "Enqueued", "FakeClock", "Inline", "Moment", "capture"]
