"""What people read: the facts, and commands that exist and mean what they say."""

import shlex
from datetime import timedelta

import click
import pytest

from rota.cli.root import root
from rota.core.alert import IncidentKind, Stage
from rota.core.search import parse
from rota.core.telling import advice_of
from rota.notifiers.message import message_of
from rota.redaction import SECRETS
from tests.values import HOUR, NOON, an_alert, an_incident


def facts(**fields):
    return dict(message_of(an_alert(**fields)).facts)


def commands(**fields):
    return [command.text for command in message_of(an_alert(**fields)).commands]


@pytest.mark.parametrize("kind", list(IncidentKind))
@pytest.mark.parametrize("job", ["email_sync", "", "a job; rm -rf ~", "-x"])
def test_each_command_of_a_message_is_one_of_rota(kind, job):  # R50
    for text in commands(kind=kind, job=job, advice=""):
        program, *words = shlex.split(text)
        assert program == "rota"
        group, ctx = root, click.Context(root)
        while isinstance(group, click.Group) and words:
            group = group.get_command(ctx, words[0])
            assert group is not None, text
            ctx, words = click.Context(group, info_name=words[0]), words[1:]
        if not job.startswith("-"):
            # What is not understood is said here.
            group.make_parser(ctx).parse_args(args=list(words))


def test_what_runs_again_is_what_failed_since_the_incident_began():  # R50
    [retry] = [text for text in commands(first_at=NOON - 90 * timedelta(minutes=1)) if "retry" in text]

    where = shlex.split(retry)[-1]
    assert where == "job:email_sync state:failed since:3h"
    parse(where, instant=lambda text: NOON)


@pytest.mark.parametrize("job", ["send mail", "a,b", 'say "hi"', "don't", "a job; rm -rf ~"])
def test_whatever_a_job_is_called_its_runs_are_found(job):  # R50
    [retry] = [text for text in commands(job=job) if "retry" in text]
    shown = advice_of(an_incident(job=job))

    for text in (retry, shown):
        term = parse(shlex.split(text)[-1], instant=lambda _: NOON).terms[0]
        assert (term.word, term.values) == ("job", (job,))


def test_the_advice_comes_first_and_nothing_twice():
    found = commands(advice="rota doctor", kind=IncidentKind.STOPPED, job="")

    assert found[0] == "rota doctor"
    assert len(set(found)) == len(found)


def test_while_the_store_is_away_nobody_is_told_to_ask_it():  # R50, H5
    assert commands(advice="rota doctor", kind=IncidentKind.STALE, is_kept=False) == ["rota doctor"]


@pytest.mark.parametrize("stage", [Stage.RECOVERED, Stage.TEST])
def test_where_nothing_is_wrong_there_is_nothing_to_type(stage):
    assert commands(stage=stage) == []


def test_few_tenants_are_named_and_many_are_counted():  # R50
    many = tuple(f"t{number}" for number in range(100))

    assert facts(tenants=("acme",), number_of_tenants=1)["Tenant"] == "acme"
    assert facts(tenants=many, number_of_tenants=500)["Tenants"] == "t0, t1, t2, t3, t4, t5, t6, t7 and 492 more"
    assert facts(tenants=(), number_of_tenants=500)["Tenants"] == "500"
    assert "Tenants" not in facts(tenants=(), number_of_tenants=0)


def test_what_is_over_says_how_long_it_lasted():
    found = facts(stage=Stage.RECOVERED, first_at=NOON, at=NOON + 42 * timedelta(minutes=1))

    assert found["Lasted"] == "42m, from Mon 1 Jun 12:00 UTC"
    assert "Since" not in found


def test_a_clock_that_went_back_gives_no_negative_time():
    assert "0ms ago" in facts(first_at=NOON + HOUR, at=NOON)["Since"]


def test_a_title_says_which_news_it_is():
    titles = [message_of(an_alert(stage=stage, title="it")).title for stage in Stage]

    assert titles == ["it", "Still: it", "Recovered: it", "Test: it"]


def test_a_secret_is_taken_out_before_the_text_is_cut():  # R65, T53
    SECRETS.keep("canary-7f3a91")

    message = message_of(an_alert(error="x" * 490 + "canary-7f3a91" + "y" * 100))

    assert "canary" not in message.error


@pytest.mark.parametrize(
    "url", ["https://rota.example.org/i/1?token=hush-hush", "https://ops:hush-hush@rota.example.org/"]
)
def test_an_address_with_a_secret_in_it_is_no_link(url):  # R65
    assert message_of(an_alert(url=url)).url == ""
