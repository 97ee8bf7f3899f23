"""What is old goes, each kind after a time of its own (R72)."""

from datetime import timedelta

from rota.queries import AuditQuery
from tests.clocks import FakeClock
from tests.engine.house import an_app
from tests.values import DAY


def test_the_audit_is_kept_for_a_year():  # R72, R12
    clock = FakeClock()
    app = an_app(clock=clock)
    app.pauses.pause("queue", "mail", reason="flood")
    pruner = app.crew(inline=True).services["pruner"]

    pruner.tick(clock.tick(365 * DAY - timedelta(minutes=1)))
    assert len(app.store.audit(AuditQuery())) == 1

    pruner.tick(clock.tick(timedelta(minutes=2)))
    assert app.store.audit(AuditQuery()) == []
