"""An application whose sums are written down, and its exposition as Prometheus reads it."""

from datetime import timedelta

from prometheus_client.parser import text_string_to_metric_families

from rota.app import Rota
from rota.core.rollup import BEGINNING, Grain, Subject, spread
from rota.metrics import prometheus
from rota.settings import Settings
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.values import NOON, SECOND, a_measure, a_rollup, a_run, a_schedule, a_sheet, a_worker


def an_app(**settings):
    clock = FakeClock(NOON)
    return Rota(MemoryStore(clock=clock), clock=clock, settings=Settings(**settings))


def add(app: Rota, *rollups, measures=(), apart=()):
    """Add sums of minutes, as a process would."""
    app.store.rollups.add(spread(a_sheet(*rollups, measures=tuple(measures)), apart=lambda one: one in apart), now=NOON)


def busy_app(**settings):
    """Return an application of which every metric has something to say."""
    app = an_app(**settings)
    add(
        app,
        a_rollup(took=2 * SECOND, wait_sum=SECOND, number=3),
        a_rollup(outcome="failed", tenant="globex", took=30 * SECOND),
        a_rollup(outcome="retried"),
        a_rollup(subject=Subject.ROUND, outcome="partial", tenant="", queue="", took=60 * SECOND),
        a_rollup(subject=Subject.TENANT, outcome="failed", tenant="", queue=""),
        a_rollup(subject=Subject.PART, job="email_sync", outcome="failed", queue=""),
        measures=(a_measure(),),
    )
    app.store.enqueue([a_run(due_at=NOON - timedelta(seconds=90))], now=NOON)
    app.store.register(a_worker(last_seen=NOON, stamps={"scheduler": NOON - 7 * SECOND}))
    app.store.put_schedule(a_schedule(next_at=NOON - 40 * SECOND), expected_version=None)
    return app


def families(app: Rota):
    return {one.name: one for one in text_string_to_metric_families(prometheus(app))}


def values(app: Rota, name: str):
    """Return the values of a metric by its labels, as text."""
    return {
        ",".join(f"{label}={value}" for label, value in sorted(sample.labels.items())): sample.value
        for family in families(app).values()
        for sample in family.samples
        if sample.name == name
    }


def counted(app: Rota, name: str):
    """Return those values of a counter that anything was counted for."""
    return {labels: value for labels, value in values(app, name).items() if value}


__all__ = ["BEGINNING", "Grain", "add", "an_app", "busy_app", "counted", "families", "values"]
