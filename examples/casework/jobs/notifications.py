"""Admins are told of what is coming up in their cases."""

from datetime import timedelta

from sqlalchemy import select

from examples.casework.models import Case, Event, Notification, db
from examples.casework.work import rota
from rota import every

AHEAD = timedelta(hours=24)


@rota.job(schedule=every(15).minutes, per_tenant=True)
def send_notifications() -> dict[str, int]:
    """Notify admins of the events of the next 24 hours, each once."""
    now = rota.clock.now()
    coming = (
        select(Event, Case)
        .join(Case, Case.id == Event.case_id)
        .join(Notification, Notification.event_id == Event.id, isouter=True)
        .where(Event.starts_at.between(now, now + AHEAD), Notification.event_id.is_(None), Case.admin_id.is_not(None))
    )
    told = [
        Notification(
            event_id=event.id,
            admin_id=case.admin_id,
            text=f"{case.reference}: {event.title}, {event.starts_at:%d %B %H:%M} UTC",
            made_at=now,
        )
        for event, case in db.session.execute(coming)
    ]
    # In one transaction, with the event as the key: whatever is repeated, nobody is told twice.
    db.session.add_all(told)
    db.session.commit()
    return {"notifications": len(told)}
