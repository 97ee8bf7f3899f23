"""The flights example, in which each run takes a while longer."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from examples.flights.app import rota
from rota import RunContext


@rota.around
@contextmanager
def slowly(_ctx: RunContext) -> Iterator[None]:
    yield
    time.sleep(0.1)
