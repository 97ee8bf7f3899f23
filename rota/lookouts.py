"""What looks out for trouble and tells of it, made for one process."""

from rota.engine.loop import Service
from rota.premises import Premises


def lookouts(premises: Premises, *, worker: str) -> dict[str, Service]:  # noqa: ARG001
    """Return the services that whoever watches has, by name; `worker` is the id of this process."""
    return {}
