"""Slack and Teams: the forms that they take, and texts that would be more than text there (T43)."""

import json

import pytest

from rota.core.alert import Stage
from rota.notifiers import slack, teams
from rota.notifiers.message import message_of
from tests.notifiers.test_email import NASTY
from tests.receiver import receiving
from tests.values import an_alert

MARKS = [
    *NASTY,
    "<!channel> <@U0123> <#C0123> <https://eve.example.com|click>",
    "```*bold* _it_ ~no~",
    "[click](https://eve.example.com) **bold**",
    "<at>everybody</at>",
    "& &amp; &lt;",
    "&" * 5000,
]


def everywhere(text, **fields):
    names = ("title", "error", "place", "job", "note", "advice", "url", "incident", "id", "run_id")
    return an_alert(**dict.fromkeys(names, text) | fields, tenants=(text, text))


@pytest.mark.parametrize("kind", ["slack", "teams"])
def test_the_message_arrives(web_channel, kind):  # R50
    with receiving() as receiver:
        web_channel(kind, receiver).send(an_alert())

    written = receiver.requests[0].body.decode()
    for one in ("email_sync is failing for 12 tenants", "AUTHENTICATIONFAILED", "acme, globex, initech and 9 more",
                "rota retry", "1h ago"):  # fmt: skip
        assert one in written


def texts(form):
    """Yield each text of a form of Slack with what it is read as."""
    if isinstance(form, dict):
        if "text" in form and isinstance(form["text"], str):
            yield form.get("type", "mrkdwn"), form["text"]
        form = form.values()
    if not isinstance(form, str):
        for one in form if hasattr(form, "__iter__") else ():
            yield from texts(one)


@pytest.mark.parametrize("text", MARKS, ids=lambda text: ascii(text)[:30])
def test_slack_finds_no_link_no_mention_and_no_mark_in_a_text(text):  # T43
    form = slack.form_of(message_of(everywhere(text)))

    read = [written for kind, written in texts(form) if kind == "mrkdwn"]
    for written in read:
        inside = written.removeprefix("```").removesuffix("```")
        assert "<" not in inside and ">" not in inside
        assert "```" not in inside
        assert all(part.startswith(("amp;", "lt;", "gt;")) for part in inside.split("&")[1:])


@pytest.mark.parametrize("text", MARKS, ids=lambda text: ascii(text)[:30])
def test_slack_takes_what_is_within_its_limits(text):
    form = slack.form_of(message_of(everywhere(text, stage=Stage.REMINDER)))

    [attachment] = form["attachments"]
    for block in attachment["blocks"]:
        if block["type"] == "header":
            assert len(block["text"]["text"]) <= 150
        elif block["type"] == "section":
            assert 0 < len(block["text"]["text"]) <= 3000


def test_slack_links_to_the_page_of_the_incident():
    form = slack.form_of(message_of(an_alert(url="https://rota.example.org/i/1?a=1&b=2")))

    assert ("mrkdwn", "<https://rota.example.org/i/1?a=1&amp;b=2|Open>") in list(texts(form))


def test_the_edge_says_whether_it_is_bad():
    edges = [slack.form_of(message_of(an_alert(stage=stage)))["attachments"][0]["color"] for stage in Stage]

    assert edges == ["#c0262d", "#c0262d", "#1a7f4b", "#1a7f4b"]


@pytest.mark.parametrize("text", MARKS, ids=lambda text: ascii(text)[:30])
def test_teams_reads_no_marks_in_a_text(text):  # T43
    form = teams.form_of(message_of(everywhere(text)))

    [attachment] = form["attachments"]
    card = attachment["content"]
    # Only these two kinds show text as it is written.
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    assert {run["type"] for block in card["body"] for run in block["inlines"]} == {"TextRun"}
    assert "entities" not in card["msteams"]
    assert len(json.dumps(form)) < 28_000


def test_teams_opens_the_page_of_the_incident():
    form = teams.form_of(message_of(an_alert(url="https://rota.example.org/i/1")))

    assert form["attachments"][0]["content"]["actions"] == [
        {"type": "Action.OpenUrl", "title": "Open", "url": "https://rota.example.org/i/1"}
    ]
