"""What jobs count of their own parts (R53)."""

from rota import numbers

__all__ = ["record_failure", "record_success"]


def record_success(job: str, tenant: str | None = None) -> None:
    """Count that a part of a job, or work that a job does for somebody else, has succeeded.

    Apart from runs, under the name that is given: a job that visits tenants by itself records each of them. Also from
    child processes. Cheap, and never an error: what cannot be counted is said in the log.
    """
    numbers.record(numbers.here(), job, tenant, is_success=True)


def record_failure(job: str, tenant: str | None = None, error: object = None) -> None:
    """Count that a part of a job has failed; as `record_success`.

    Nothing of `error` is kept but its class, which is shown in the log of the run: a message may hold secrets.
    """
    if error is not None:
        numbers.log.warning("%s failed for %s: %s", job, tenant or "nobody in particular", _kind(error))
    numbers.record(numbers.here(), job, tenant, is_success=False)


def _kind(error: object) -> str:
    return type(error).__qualname__ if isinstance(error, BaseException) else "error"
