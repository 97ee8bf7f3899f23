"""Who is told of what, and when (R50)."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.core.alert import IncidentKind, Stage
from rota.core.routing import MEANS, OF_RUNS, Channel, Quiet, Route, Rule, routes
from tests.values import NOON, an_incident

OPS, PAGER = Channel(name="ops"), Channel(name="pager")
NIGHT = Quiet(start=time(22), end=time(7), zone="Europe/Paris")
# In Paris it is two hours later.
MIDNIGHT = datetime(2026, 6, 1, 22, 0, tzinfo=UTC)
LUNCH = Quiet(start=time(12), end=time(14))
SEVEN = datetime(2026, 6, 2, 5, 0, tzinfo=UTC)


def names(incident=None, stage=Stage.OPENED, *, channels=(OPS, PAGER), rules=(), now=NOON, **fields):
    """Return the channels that are told."""
    found = routes(incident or an_incident(), stage, channels=channels, rules=rules, now=now, **fields)
    return [route.channel for route in found]


def test_without_rules_every_channel_is_told_at_once():  # R50
    found = routes(an_incident(), Stage.OPENED, channels=[OPS, PAGER], rules=[], now=NOON)

    assert found == [Route("ops", NOON), Route("pager", NOON)]


def test_a_channel_is_told_of_the_kinds_that_it_wants():  # R50
    stale = Channel(name="stale", kinds=frozenset({IncidentKind.STALE}))

    assert names(channels=[stale, OPS]) == ["ops"]


def test_who_asks_for_failures_gets_timeouts_and_lost_runs_too():  # R50
    assert MEANS["failed"] == OF_RUNS
    assert MEANS["timed_out"] == {IncidentKind.TIMED_OUT}


@pytest.mark.parametrize(
    ("rule", "is_for"),
    [
        (Rule(jobs=("mail_*",)), True),
        (Rule(jobs=("report",)), False),
        (Rule(jobs=("report", "mail_sync")), True),
        (Rule(tenants=("acme",)), True),
        (Rule(tenants=("hooli", "glo*")), True),
        (Rule(tenants=("hooli",)), False),
        (Rule(tags=("gold", "x")), True),
        (Rule(tags=("silver",)), False),
        (Rule(kinds=frozenset({IncidentKind.FAILED})), True),
        (Rule(kinds=frozenset({IncidentKind.STALE})), False),
        (Rule(jobs=("mail_*",), tenants=("hooli",)), False),
    ],
)
def test_a_rule_is_for_incidents_that_fit_all_it_says(rule, is_for):  # R50
    incident = an_incident(job="mail_sync")

    assert rule.is_for(incident, ["acme", "globex"], frozenset({"gold"})) is is_for


def test_patterns_are_no_regular_expressions_and_know_capitals():  # R50
    assert not Rule(jobs=("mail.sync",)).is_for(an_incident(job="mailxsync"), [], frozenset())
    assert not Rule(jobs=("Mail",)).is_for(an_incident(job="mail"), [], frozenset())


def test_the_first_rule_that_fits_decides():  # R50
    rules = [Rule(jobs=("other",), channels=()), Rule(channels=("pager",)), Rule(channels=("ops",))]

    assert names(rules=rules) == ["pager"]


def test_a_rule_without_channels_tells_nobody_and_one_that_names_none_tells_all():  # R50
    assert names(rules=[Rule(channels=())]) == []
    assert names(rules=[Rule()]) == ["ops", "pager"]


def test_what_no_rule_is_for_is_told_to_everybody():  # R50
    assert names(rules=[Rule(jobs=("other",), channels=())]) == ["ops", "pager"]


def test_an_end_is_told_to_whoever_was_told_of_the_beginning():  # R50
    incident = an_incident(channels=("pager",))

    assert names(incident, Stage.RECOVERED) == ["pager"]
    assert names(incident, Stage.RECOVERED, rules=[Rule(channels=("ops",))]) == ["pager"]
    assert names(incident, Stage.RECOVERED, channels=[Channel(name="pager", recoveries=False)]) == []


# --- quiet hours ---


def test_what_comes_in_quiet_hours_waits_for_their_end():  # R50
    found = routes(an_incident(), Stage.OPENED, channels=[OPS], rules=[Rule(quiet=NIGHT)], now=MIDNIGHT)

    assert found == [Route("ops", SEVEN)]


def test_what_is_urgent_comes_at_any_hour():  # R50
    rule = Rule(quiet=NIGHT, urgent=frozenset({IncidentKind.FAILED}))

    assert routes(an_incident(), Stage.OPENED, channels=[OPS], rules=[rule], now=MIDNIGHT) == [Route("ops", MIDNIGHT)]


def test_nobody_is_reminded_in_quiet_hours():  # R50
    assert names(stage=Stage.REMINDER, rules=[Rule(quiet=NIGHT)], now=MIDNIGHT) == []


@pytest.mark.parametrize(
    ("quiet", "now", "until"),
    [
        (NIGHT, datetime(2026, 6, 1, 19, 59, tzinfo=UTC), None),
        (NIGHT, datetime(2026, 6, 1, 20, 0, tzinfo=UTC), SEVEN),
        (NIGHT, datetime(2026, 6, 2, 4, 59, tzinfo=UTC), SEVEN),
        (NIGHT, SEVEN, None),
        (LUNCH, datetime(2026, 6, 1, 13, tzinfo=UTC), datetime(2026, 6, 1, 14, tzinfo=UTC)),
        (LUNCH, datetime(2026, 6, 1, 14, tzinfo=UTC), None),
        # The night in which the clock goes forward has an hour less, that in which it goes back one more.
        (NIGHT, datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 29, 5, tzinfo=UTC)),
        (NIGHT, datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2026, 10, 25, 6, tzinfo=UTC)),
        # They end within the hour that is there twice: at its first time, and in the second one they are over.
        (
            Quiet(start=time(1), end=time(2, 30), zone="Europe/Paris"),
            datetime(2026, 10, 25, 0, 0, tzinfo=UTC),
            datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        ),
    ],
)  # fmt: skip
def test_quiet_hours_follow_the_clock_on_the_wall(quiet, now, until):  # R50
    assert quiet.until(now) == until


@given(
    st.datetimes(min_value=datetime(2026, 1, 1), max_value=datetime(2027, 1, 1), timezones=st.just(UTC)),
    st.times(), st.times(), st.sampled_from(["UTC", "Europe/Paris", "Australia/Lord_Howe", "America/New_York"]),
)  # fmt: skip
def test_the_end_of_quiet_hours_is_always_to_come_and_within_a_day_or_so(now, start, end, zone):  # R50
    quiet = Quiet(start=start.replace(microsecond=0), end=end.replace(microsecond=0), zone=zone)
    if quiet.start == quiet.end:
        return

    until = quiet.until(now)

    if until is not None:
        assert now < until
        assert (until - now).total_seconds() <= 25 * 3600
        assert quiet.until(until) is None or until.astimezone(ZoneInfo(zone)).fold == 1 or is_in_gap(until, quiet)


def is_in_gap(until, quiet):
    """Whether the wall never shows when they end: then it shows an hour that is within them, or after."""
    return until.astimezone(ZoneInfo(quiet.zone)).time() != quiet.end
