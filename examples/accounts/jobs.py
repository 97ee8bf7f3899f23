"""What runs later: classes that rows of `cron_jobs` name, the mail with a code, and the tests."""

import os
import shlex
import subprocess

from sqlalchemy import ColumnElement, and_, delete, func, select, update

from examples.accounts import mail
from examples.accounts.database import URL, engine, stored, users
from rota import Cancel, Result, Retry, Rota, RunContext

TESTS = os.environ.get("ACCOUNTS_TESTS", "python -m unittest examples.accounts.tests")

rota = Rota(URL)


@rota.job()
class InvalidatePendingRegistration:
    """Forget a registration that nobody has confirmed in time."""

    def run(self, ctx: RunContext) -> None:
        with engine.begin() as db:
            db.execute(delete(users).where(~users.c.is_confirmed, is_over(ctx.user_id)))


@rota.job()
class InvalidateResetPasswordCode:
    """Forget the code with which a user could have chosen a new password."""

    def run(self, ctx: RunContext) -> None:
        with engine.begin() as db:
            db.execute(update(users).where(is_over(ctx.user_id)).values(code=None, code_expires_at=None))


@rota.job()
class Noop:
    """Do nothing: that it runs shows that the crontab does."""

    def run(self) -> None: ...


@rota.job()
class CountAccounts:
    """Count accounts and registrations. Its row says how often: `interval_minutes`."""

    def run(self) -> dict[str, int]:
        with engine.begin() as db:
            counted = select(func.count()).select_from(users)
            confirmed = db.scalar(counted.where(users.c.is_confirmed)) or 0
            return {"confirmed": confirmed, "pending": (db.scalar(counted) or 0) - confirmed}


# For longer than any code is valid: it gives up by itself.
@rota.job(timeout="1m", retry=Retry.fixed("5m", attempts=300))
def send_code(user_id: int) -> Cancel | None:
    """Mail a user the code of this moment. It is read here: what is queued is kept, and a code is a secret."""
    with engine.begin() as db:
        user = db.execute(select(users).where(users.c.id == user_id)).one_or_none()
    if user is None or user.code is None or user.code_expires_at <= stored(rota.clock.now()):
        return Cancel("the code is used, or over")
    subject = "Choose a new password" if user.is_confirmed else "Confirm your registration"
    mail.send(user.email, subject=subject, text=f"Your code is {user.code}\n")
    return None


@rota.job(schedule="hourly", executor="process", timeout="10m", fresh_within="3h")
def all_tests_cronjob() -> Result:
    """Run the tests. `freshness/all_tests_cronjob_fresh.html` shows when they last passed."""
    # In a process of its own: what hangs is ended after its time, with all that it started.
    done = subprocess.run(shlex.split(TESTS), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    print(done.stdout, end="")
    return Result(success=done.returncode == 0, error=f"{TESTS!r} ended with {done.returncode}")


def is_over(user_id: str | None) -> ColumnElement[bool]:
    """Say in SQL that the code of a user is over: one that was asked for since is not."""
    return and_(users.c.id == int(user_id or 0), users.c.code_expires_at <= stored(rota.clock.now()))
