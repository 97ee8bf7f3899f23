"""Registration and forgotten passwords: each code with the row that ends it, in the transaction of its user."""

import hmac
import secrets
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from examples.accounts.database import cron_jobs, engine, stored, users
from examples.accounts.jobs import rota, send_code
from examples.accounts.passwords import hashed

REGISTRATION_VALID = timedelta(days=1)
RESET_VALID = timedelta(minutes=30)


class WrongCode(Exception):
    """The code is not that user's, or is no longer valid. Which of the two is nobody's business."""


def register(email: str, password: str) -> None:
    """Take a registration, which is to be confirmed within a day; do nothing where the address has an account."""
    try:
        with engine.begin() as db:
            db.execute(insert(users).values(email=email, password=hashed(password)))
            [user_id] = db.execute(select(users.c.id).where(users.c.email == email)).one()
            _give_code(db, user_id, ended_by="InvalidatePendingRegistration", valid=REGISTRATION_VALID)
    except IntegrityError:
        # Whoever asks must not learn who has an account.
        return


def confirm_registration(email: str, code: str) -> None:
    """Make a registration an account."""
    with engine.begin() as db:
        user_id = _user_with_code(db, email, code, is_confirmed=False)
        _take_code(db, user_id, code, is_confirmed=True)


def forgot_password(email: str) -> None:
    """Mail a code with which a new password can be chosen, in place of any that was mailed before."""
    with engine.begin() as db:
        user_id = db.scalar(select(users.c.id).where(users.c.email == email, users.c.is_confirmed))
        if user_id is not None:
            _give_code(db, user_id, ended_by="InvalidateResetPasswordCode", valid=RESET_VALID)


def reset_password(email: str, code: str, password: str) -> None:
    """Choose a new password."""
    with engine.begin() as db:
        user_id = _user_with_code(db, email, code, is_confirmed=True)
        _take_code(db, user_id, code, password=hashed(password))


def _give_code(db: Connection, user_id: int, *, ended_by: str, valid: timedelta) -> None:
    """Give a user a code: with the row that ends it and the mail that brings it, all or nothing."""
    expires_at = stored(_now() + valid)
    changed = update(users).where(users.c.id == user_id)
    db.execute(changed.values(code=secrets.token_urlsafe(16), code_expires_at=expires_at))
    db.execute(delete(cron_jobs).where(cron_jobs.c.user_id == str(user_id)))
    db.execute(insert(cron_jobs).values(name=ended_by, user_id=str(user_id), run_at=expires_at))
    send_code.using(connection=db).enqueue(user_id)


def _take_code(db: Connection, user_id: int, code: str, **changes: object) -> None:
    """Change a user whose code was right; nothing is left to be ended."""
    used = update(users).where(users.c.id == user_id, users.c.code == code)
    if not db.execute(used.values(code=None, code_expires_at=None, **changes)).rowcount:
        # Of two at once one is served.
        raise WrongCode
    db.execute(delete(cron_jobs).where(cron_jobs.c.user_id == str(user_id)))


def _user_with_code(db: Connection, email: str, code: str, *, is_confirmed: bool) -> int:
    """Return the id of the user whose code this is, at this moment."""
    user = db.execute(
        select(users.c.id, users.c.code, users.c.code_expires_at).where(
            users.c.email == email, users.c.is_confirmed == is_confirmed, users.c.code.is_not(None)
        )
    ).one_or_none()
    # A code is over at its time, also in the minute before its row is looked at.
    if user is None or user.code_expires_at <= stored(_now()):
        raise WrongCode
    if not hmac.compare_digest(user.code.encode(), code.encode()):
        raise WrongCode
    user_id: int = user.id
    return user_id


def _now() -> datetime:
    # Rota's clock is that of the database, which is the same for all processes.
    return rota.clock.now()
