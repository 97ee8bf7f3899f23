"""Alerts as cards of Microsoft Teams, through the webhook of a workflow."""

from rota.clock import Clock
from rota.core.alert import Alert
from rota.core.masking import Secret
from rota.notifiers.message import Message, message_of
from rota.notifiers.options import shown
from rota.notifiers.web import WebOptions, check, post, terms_of


class TeamsOptions(WebOptions, frozen=True, kw_only=True):
    """A workflow of Teams that posts what its webhook receives."""

    webhook: Secret[str]
    """Its address: whoever has it can write to the channel. A secret: also `webhook_file`, or `env:NAME`."""

    __repr__ = shown

    def __post_init__(self) -> None:
        check(self.webhook, self, name="webhook")


class TeamsChannel:
    """Post each alert as a card."""

    def __init__(self, options: TeamsOptions, clock: Clock) -> None:
        self._url = options.webhook
        self._terms = terms_of(options)
        self._clock = clock

    def send(self, alert: Alert) -> None:
        """Post it.

        Raises:
            DeliveryFailed: Teams has not taken it.
        """
        post(self._url, form_of(message_of(alert)), headers={}, terms=self._terms, clock=self._clock)


def form_of(message: Message) -> dict[str, object]:
    """Return a message as an Adaptive Card."""
    runs: list[list[object]] = [
        [_run(message.title, weight="Bolder", size="Large", color="Attention" if message.is_bad else "Good")]
    ]
    if message.error:
        runs.append([_run(message.error, fontType="Monospace")])
    if message.place:
        runs.append([_run(f"at {message.place}", fontType="Monospace", isSubtle=True)])
    runs += [[_run(f"{name}: ", weight="Bolder"), _run(value)] for name, value in message.facts]
    if message.note:
        runs.append([_run("Note: ", weight="Bolder"), _run(message.note)])
    for command in message.commands:
        meaning = [_run(f"   # {command.meaning}", isSubtle=True)] if command.meaning else []
        runs.append([_run(command.text, fontType="Monospace"), *meaning])
    runs.append([_run(message.footer, isSubtle=True, size="Small")])
    card: dict[str, object] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": [{"type": "RichTextBlock", "inlines": inlines} for inlines in runs],
    }
    if message.url:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open", "url": message.url}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return {"type": "message", "attachments": [attachment]}


def _run(text: str, **style: object) -> dict[str, object]:
    # Not a TextBlock, and not a FactSet: those read Markdown, and a job's text could be a link there.
    return {"type": "TextRun", "text": text} | style
