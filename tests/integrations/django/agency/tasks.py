"""Tasks of the tests: Django's word for jobs."""

from datetime import timedelta

from rota import Retry
from rota.integrations.django import task

CALLED: list[object] = []


@task
def add(a, b=1):
    """Add two numbers."""
    return a + b


@task
async def aadd(a, b):
    """Add two numbers, on the event loop."""
    return a + b


@task(takes_context=True)
def attempts(context):
    """Say which attempt this is."""
    CALLED.append(context.task_result.id)
    return context.attempt


@task
def broken():
    """Fail."""
    raise LookupError("no such thing")


@task(retry=Retry.fixed("1m", attempts=3), timeout=timedelta(minutes=1))
def flaky():
    """Fail at the first two attempts."""
    CALLED.append("flaky")
    if len(CALLED) < 3:
        raise LookupError(f"attempt {len(CALLED)}")
    return "at last"


@task(queue_name="mail", priority=5)
def send(to):
    """Pretend to send a mail."""
    return f"to {to}"


@task
def not_json():
    """Return what has no JSON form."""
    return object()


@task
def nothing():
    """Return nothing."""
