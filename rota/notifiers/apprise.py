"""Alerts through Apprise, to services that have no channel of their own here."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from msgspec import Struct

from rota.clock import Clock
from rota.core.alert import Alert, Stage
from rota.core.masking import Secret
from rota.errors import ConfigurationError, DeliveryFailed, MissingExtra
from rota.notifiers.mail_text import text_of
from rota.notifiers.message import message_of
from rota.notifiers.options import check_timeout, shown


class AppriseOptions(Struct, frozen=True, kw_only=True):
    """A service that Apprise knows.

    Where it goes is Apprise's business: the rules that guard webhooks (no address inside, no redirects, no proxy of the
    environment) do not hold for it.
    """

    url: Secret[str]
    """One URL of Apprise, such as `tgram://…`; it holds the password of the service. A secret: also `url_file`, or
    `env:NAME`."""

    timeout: timedelta = timedelta(seconds=30)
    """For all of one delivery."""

    __repr__ = shown

    def __post_init__(self) -> None:
        check_timeout(self.timeout)


class AppriseChannel:
    """Send each alert as a text."""

    def __init__(self, options: AppriseOptions, clock: Clock) -> None:  # all channels are made alike
        apprise = _apprise()
        # Nothing is kept on the disk.
        asset = apprise.AppriseAsset(storage_mode="memory", app_id="Rota", app_desc="Rota")
        self._timeout = options.timeout.total_seconds()
        self._apprise = apprise.Apprise(asset=asset)
        with _silent(logging.getLogger("apprise")):
            service = apprise.Apprise.instantiate(options.url, asset=asset, suppress_exceptions=True)
            if service is None or not self._apprise.add(service):
                raise ConfigurationError("the url of a channel of Apprise is none that it understands")

    def send(self, alert: Alert) -> None:
        """Send it.

        Raises:
            DeliveryFailed: Apprise could not; it does not say whether another try may help.
        """
        message = message_of(alert)
        kind = "success" if alert.stage is Stage.RECOVERED else "info" if alert.stage is Stage.TEST else "failure"
        told = self._apprise.notify(
            title=message.title,
            body=text_of(message),
            notify_type=kind,
            body_format="text",
            interpret_escapes=False,
            timeout=self._timeout,
        )
        if not told:
            raise DeliveryFailed("Apprise could not deliver it; its log says why")


@contextmanager
def _silent(log: logging.Logger) -> Iterator[None]:
    """Let it log nothing for the time of the block: of a URL that it does not understand it logs all of it (R65)."""
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


def _apprise() -> Any:
    try:
        import apprise
    except ImportError as error:
        raise MissingExtra("apprise", needed_for="a channel of Apprise") from error
    return apprise
