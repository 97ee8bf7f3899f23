"""The application: one nightly job, for every airline on its own database."""

from sqlalchemy import insert, text

from examples.flights.data import ZONE
from examples.flights.databases import DAILY_DELAYS, tenants
from examples.flights.delays import SECOND, day_of, days
from examples.flights.places import STORE
from rota import Rota, RunContext, every

rota = Rota(STORE, tenants=tenants())

DEPARTURES = text("SELECT departs_at, delay FROM flights WHERE departs_at > :since AND departs_at <= :until")
FORGET = text("DELETE FROM daily_delays WHERE day BETWEEN :first AND :last")
SAVE = insert(DAILY_DELAYS)


@rota.job(schedule=every().day.at("03:00", tz=ZONE), per_tenant=True, timeout="1m", fresh_within="26h")
def daily_delays(ctx: RunContext) -> dict[str, int]:
    """Sum up the delays of each day since it last succeeded."""
    since, until = ctx.window
    first = day_of(since + SECOND).isoformat() if since else ""
    with ctx.tenant.begin() as db:
        window = {"since": since.timestamp() if since else 0, "until": until.timestamp()}
        found = days(db.execute(DEPARTURES, window).all())
        # Replaced, not added to: a run that is repeated leaves what one run leaves.
        db.execute(FORGET, {"first": first, "last": day_of(until).isoformat()})
        if found:
            db.execute(SAVE, [day._asdict() for day in found])
    return {"days": len(found), "flights": sum(day.flights for day in found)}
