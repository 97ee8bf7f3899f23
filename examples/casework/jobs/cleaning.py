"""What has expired goes."""

from sqlalchemy import delete

from examples.casework.models import Session, Token, db
from examples.casework.work import rota
from rota import every


@rota.job(schedule=every().hour.at(":40"), per_tenant=True)
def delete_expired() -> dict[str, int]:
    """Delete sessions and tokens that have expired."""
    now = rota.clock.now()
    deleted = {
        table.__tablename__: db.session.execute(delete(table).where(table.expires_at <= now)).rowcount
        for table in (Session, Token)
    }
    db.session.commit()
    return deleted
