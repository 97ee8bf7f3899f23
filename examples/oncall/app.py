"""Five bakeries, a database each, and a job that counts the orders of each every two seconds."""

import os
from pathlib import Path

from sqlalchemy import text

from rota import Retry, Rota, RunContext, every
from rota.tenants import SQLiteDirectory

WORK = Path(os.environ.get("ONCALL_WORK", "."))

rota = Rota(f"sqlite:///{WORK}/rota.db", tenants=SQLiteDirectory(WORK / "bakeries"))


@rota.job(schedule=every(2).seconds, per_tenant=True, fresh_within="6s", retry=Retry(attempts=1), tags=["customer"])
def count_orders(ctx: RunContext) -> dict[str, int]:
    """Count what is to be baked."""
    with ctx.tenant.begin() as database:
        return {"orders": database.execute(text("SELECT count(*) FROM orders")).scalar_one()}
