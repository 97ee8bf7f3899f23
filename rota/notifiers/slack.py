"""Alerts as messages of Slack, through an incoming webhook; Mattermost and others understand it too."""

import re

from rota.clock import Clock
from rota.core.alert import Alert
from rota.core.masking import Secret
from rota.notifiers.message import Message, message_of
from rota.notifiers.options import shown
from rota.notifiers.web import WebOptions, check, post, terms_of

LONGEST_HEADER = 150
LONGEST_TEXT = 2900
"""Slack refuses a header of more than 150 characters, and a section of more than 3,000."""


class SlackOptions(WebOptions, frozen=True, kw_only=True):
    """An incoming webhook of Slack."""

    webhook: Secret[str]
    """Its address, `https://hooks.slack.com/services/…`: whoever has it can write to the channel. A secret: also
    `webhook_file`, or `env:NAME`."""

    __repr__ = shown

    def __post_init__(self) -> None:
        check(self.webhook, self, name="webhook")


class SlackChannel:
    """Post each alert as a message with a red or a green edge."""

    def __init__(self, options: SlackOptions, clock: Clock) -> None:
        self._url = options.webhook
        self._terms = terms_of(options)
        self._clock = clock

    def send(self, alert: Alert) -> None:
        """Post it.

        Raises:
            DeliveryFailed: Slack has not taken it.
        """
        post(self._url, form_of(message_of(alert)), headers={}, terms=self._terms, clock=self._clock)


def form_of(message: Message) -> dict[str, object]:
    """Return a message in the form of Slack. What jobs and tenants say is plain text, or escaped in a block of code."""
    blocks: list[object] = [{"type": "header", "text": _plain(message.title[:LONGEST_HEADER])}]
    if message.error:
        blocks.append(_code([message.error, *([f"at {message.place}"] if message.place else [])]))
    facts = [f"{name}: {value}" for name, value in message.facts]
    facts += [f"Note: {message.note}"] if message.note else []
    blocks.append({"type": "section", "text": _plain("\n".join(facts)[:LONGEST_TEXT])})
    if message.commands:
        blocks.append(_code([f"{one.text}   # {one.meaning}" if one.meaning else one.text for one in message.commands]))
    if message.url:
        link = {"type": "mrkdwn", "text": f"<{escaped(message.url)}|Open>"}
        blocks.append({"type": "section", "text": link})
    blocks.append({"type": "context", "elements": [_plain(message.footer)]})
    edge = "#c0262d" if message.is_bad else "#1a7f4b"
    # What a phone shows before anything is opened.
    return {"text": escaped(message.title), "attachments": [{"color": edge, "blocks": blocks}]}


def escaped(text: str) -> str:
    """Return text in which Slack finds no link and no mention: `<!channel>` would call everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _plain(text: str) -> dict[str, object]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _code(lines: list[str]) -> dict[str, object]:
    # Three of them would end the block.
    text = escaped("\n".join(lines).replace("`", "ˋ"))[:LONGEST_TEXT]
    whole = re.sub(r"&[a-z]*\Z", "", text)
    return {"type": "section", "text": {"type": "mrkdwn", "text": f"```{whole}```", "verbatim": True}}
