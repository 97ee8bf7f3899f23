"""Alerts as lines of the log: what is always there, and what other systems read."""

import logging

from msgspec import Struct

from rota.clock import Clock
from rota.core.alert import Alert, Stage
from rota.notifiers.message import line

log: logging.Logger = logging.getLogger("rota.alerts")


class LogOptions(Struct, frozen=True, kw_only=True):
    """It has none: the lines go to the logger `rota.alerts`, and from there where the application says."""


class LogChannel:
    """Write each alert as one line: an error when something is wrong, information when it is no more."""

    def __init__(self, options: LogOptions, clock: Clock) -> None:
        """There is nothing to set and nothing to time; all channels are made alike."""

    def send(self, alert: Alert) -> None:
        """Write the line. Handlers of the application keep their failures to themselves, so this has none."""
        level = logging.INFO if alert.stage in (Stage.RECOVERED, Stage.TEST) else logging.ERROR
        error = f": {line(alert.error)}" if alert.error and alert.stage is not Stage.RECOVERED else ""
        facts = {
            "alert": alert.id,
            "incident": alert.incident,
            "stage": str(alert.stage),
            "incident_kind": str(alert.kind),
            "job": line(alert.job),
            "run": line(alert.run_id or "") or None,
            "tenants": alert.number_of_tenants,
        }
        log.log(level, "%s: %s%s", alert.stage, line(alert.title), error, extra=facts)
