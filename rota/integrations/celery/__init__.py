"""Celery: a fleet that exists carries out the runs of Rota, and schedules of Rota call tasks that exist.

app = Celery(broker="redis://...")
join(rota, app)

@rota.job(executor="celery")
def report() -> None: ...
"""

from rota.errors import MissingExtra

try:
    import celery as _celery  # noqa: F401
except ImportError as error:
    raise MissingExtra("celery", needed_for="its integration") from error

from rota.integrations.celery.calling import calling
from rota.integrations.celery.fleet import CeleryFleet, join

__all__ = ["CeleryFleet", "calling", "join"]
