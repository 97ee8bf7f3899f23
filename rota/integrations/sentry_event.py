"""What Sentry is told, as it takes it: made of what the store keeps, so there is nothing else that could go along."""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from msgspec.structs import replace

from rota.core.cause import print_of
from rota.core.model import Run, Settlement
from rota.notifiers.message import line
from rota.redaction import redacted

LONGEST_TAG = 200
LONGEST_VALUE = 4000
MOST_FRAMES = 100

_FRAME = re.compile(
    r'^  File "(?P<file>[^"\n]+)", line (?P<line>\d+), in (?P<name>\S+)(?:\n    (?P<code>\S.*))?', re.MULTILINE
)
_FOREIGN = ("/site-packages/", "/dist-packages/", "/lib/python", "<frozen ")


def event_of(settlement: Settlement) -> dict[str, Any]:
    """Return the event of a run that failed for good: its error, and what it was about as tags.

    No arguments, no result, no local variables: they are not in what it is made of (T50, T51).
    """
    run, error = settlement.run, settlement.error
    kind, module = _class_of(error.type if error else str(settlement.outcome))
    value = error.message if error else settlement.reason or ""
    exception: dict[str, Any] = {
        "type": kind,
        "module": module,
        "value": redacted(value)[:LONGEST_VALUE],
        "mechanism": {"type": "rota", "handled": False},
    }
    if error and (frames := frames_of(error.traceback)):
        exception["stacktrace"] = {"frames": frames}
    return {
        "event_id": _event_id(settlement),
        "level": "error",
        "platform": "python",
        "logger": "rota",
        "timestamp": settlement.ended_at.isoformat(),
        "transaction": line(run.job, most=LONGEST_TAG),
        "tags": _tags(settlement),
        # As Rota puts errors together, so does Sentry; also where there is only a reason.
        "fingerprint": ["rota", run.job, print_of(_ended(settlement))],
        "exception": {"values": [exception]},
    }


def _tags(settlement: Settlement) -> Mapping[str, str]:
    run = settlement.run
    tags = {
        "job": run.job,
        "tenant": run.tenant,
        "run": run.id,
        "slot": run.slot.isoformat() if run.slot else None,
        "schedule": run.schedule,
        "queue": run.queue,
        "outcome": str(settlement.outcome),
        "rota.fingerprint": print_of(_ended(settlement)),
    }
    return {name: line(value, most=LONGEST_TAG) for name, value in tags.items() if value}


def _ended(settlement: Settlement) -> Run:
    return replace(settlement.run, error=settlement.error, reason=settlement.reason)


def frames_of(traceback: str) -> list[dict[str, Any]]:
    """Return the frames of a traceback's text, of the last of several exceptions, the innermost at the end."""
    last = re.split(r"^Traceback \(most recent call last\):$", traceback, flags=re.MULTILINE)[-1]
    found = list(_FRAME.finditer(last))[-MOST_FRAMES:]
    return [
        {
            "filename": frame["file"],
            "lineno": int(frame["line"]),
            "function": frame["name"],
            "in_app": not any(part in frame["file"] for part in _FOREIGN),
        }
        | ({"context_line": redacted(frame["code"])} if frame["code"] else {})
        for frame in found
    ]


def _class_of(name: str) -> tuple[str, str | None]:
    module, _, kind = name.rpartition(".")
    return kind, module or None


def _event_id(settlement: Settlement) -> str:
    """Return the id of the event: the same however often one ending is told, another for the next one of the run."""
    words = f"{settlement.run.id}|{settlement.run.attempt}|{settlement.run.token}"
    return sha256(words.encode()).hexdigest()[:32]


def check_in_of(
    slug: str,
    *,
    check_in: str,
    status: str,
    duration: float | None,
    monitor: Mapping[str, Any],
    client: Mapping[str, Any],
) -> dict[str, Any]:
    """Return a check-in: how the slot of a schedule goes. `client` is what the client says of itself."""
    return {
        "type": "check_in",
        "monitor_slug": slug,
        "check_in_id": check_in,
        "status": status,
        "duration": duration,
        "environment": client.get("environment"),
        "release": client.get("release"),
        # With each: whoever comes first makes the monitor, and a changed schedule changes it.
        "monitor_config": dict(monitor),
    }
