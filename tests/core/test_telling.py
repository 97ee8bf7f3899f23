"""An incident in words (R50)."""

import pytest

from rota.core.alert import IncidentKind, Stage
from rota.core.incident import Remark
from rota.core.telling import MOST_NAMES, advice_of, alert_of, title_of, trial_of
from tests.values import MINUTE, NOON, a_member, an_incident

TWO = ["acme", "globex"]


@pytest.mark.parametrize(
    ("kind", "names", "title"),
    [
        (IncidentKind.FAILED, [], "report fails"),
        (IncidentKind.FAILED, ["acme"], "report fails for acme"),
        (IncidentKind.FAILED, TWO, "report fails for 2 tenants"),
        (IncidentKind.TIMED_OUT, TWO, "report ran out of time for 2 tenants"),
        (IncidentKind.LOST, ["acme"], "report lost its worker again and again for acme"),
        (IncidentKind.STALE, TWO, "report has not succeeded in time for 2 tenants"),
        (IncidentKind.PARKED, ["acme"], "acme is parked: no way to the database"),
        (IncidentKind.PARKED, TWO, "2 tenants are parked: no way to the database"),
        (IncidentKind.BROKEN, ["nightly"], "nightly of report cannot be understood"),
        (IncidentKind.STOPPED, TWO, "2 loops of Rota did not come round"),
    ],
)
def test_a_title_says_what_is_wrong_with_what_for_whom(kind, names, title):  # R50
    assert title_of(an_incident(kind=kind), names) == title


@pytest.mark.parametrize("kind", IncidentKind)
def test_every_kind_has_a_title_and_a_command_that_shows_more(kind):  # R50
    assert title_of(an_incident(kind=kind), ["acme"])
    assert advice_of(an_incident(kind=kind)).startswith("rota ")


def test_a_stale_schedule_is_named_where_it_is_not_called_as_its_job():  # R50, R51
    stale = an_incident(kind=IncidentKind.STALE, about="weekly@acme")

    assert title_of(stale, []) == "weekly@acme has not succeeded in time"
    assert advice_of(stale) == "rota explain weekly@acme"


def test_a_stale_script_outside_of_rota_is_to_be_looked_at_where_all_are():  # R50, R51
    assert advice_of(an_incident(kind=IncidentKind.STALE, job="", about="backup")) == "rota stale"


def test_names_that_mean_something_to_a_terminal_or_a_shell_are_harmless():  # R65
    incident = an_incident(job="x\n\x1b[31m; rm -rf ~")

    assert "\n" not in title_of(incident, [])
    assert advice_of(incident) == r"""rota failures --where 'job:"x\n\x1b[31m; rm -rf ~"'"""


def test_an_alert_names_tenants_up_to_a_limit_and_says_how_many_there_are():  # R50, H3
    alert = alert_of(an_incident(), [a_member(f"t{n:03}") for n in range(500)], Stage.OPENED, now=NOON)

    assert (len(alert.tenants), alert.number_of_tenants) == (MOST_NAMES, 500)
    assert alert.title == "report fails for 500 tenants"


def test_while_it_is_open_an_alert_is_about_who_is_affected_and_at_its_end_about_all():  # R50
    members = [a_member("acme"), a_member("globex", recovered_at=NOON), a_member("")]

    assert alert_of(an_incident(), members, Stage.REMINDER, now=NOON).tenants == ("acme",)
    assert alert_of(an_incident(), members, Stage.RECOVERED, now=NOON).tenants == ("acme", "globex")


def test_an_alert_has_the_number_of_its_message_in_its_id():  # A17
    incident = an_incident(messages=3)

    assert alert_of(incident, [], Stage.OPENED, now=NOON).id == f"{incident.id}-3"


def test_an_alert_says_how_often_it_was_opened():  # R50
    assert alert_of(an_incident(openings=2), [], Stage.OPENED, now=NOON).openings == 2


def test_an_alert_says_what_is_known():  # R50
    remarks = (Remark(at=NOON, author="ana", text="old"), Remark(at=NOON, author="bob", text="the host is back soon"))
    incident = an_incident(error="E: boom", place="app.mail", slot=NOON, run_id="r1", number=7, remarks=remarks)

    alert = alert_of(incident, [a_member()], Stage.OPENED, now=NOON + MINUTE, url="https://ops.example/incidents/")

    assert (alert.error, alert.place, alert.slot, alert.run_id, alert.number) == ("E: boom", "app.mail", NOON, "r1", 7)
    assert (alert.first_at, alert.last_at, alert.at) == (NOON, NOON, NOON + MINUTE)
    assert alert.note == "bob: the host is back soon"
    assert alert.url == f"https://ops.example/incidents/{incident.id}"


def test_a_trial_says_that_nothing_is_wrong():  # R50
    alert = trial_of("ops", new_id="t1", now=NOON)

    assert (alert.stage, alert.id) == (Stage.TEST, "t1")
    assert "nothing is wrong" in alert.title
