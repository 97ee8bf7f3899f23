"""`rota alerts`, and what `status` and `doctor` say of incidents and channels."""

import json
from datetime import timedelta

import pytest
from msgspec.structs import replace

from rota.core.delivery import failed, sent
from rota.core.incident import IncidentState
from rota.core.model import Outcome
from rota.errors import ConfigurationError, DeliveryFailed, IncidentNotFound, Refused
from rota.queries import AuditQuery
from rota.settings.alerts import AlertSettings, ChannelSettings
from tests.surfaces.conftest import HOSTILE
from tests.values import DAY, HOUR, MINUTE, NOON, a_delivery, a_member, a_run, an_incident, claim, ended, settle_all


@pytest.fixture
def store(noon_app):
    return noon_app.store


def write(store, **fields):
    """Write an open incident that meets acme and globex."""
    names = fields.pop("names", ("acme", "globex"))
    incident = an_incident(**{"error": "E: boom", "number": 2, "affected": len(names), "told_at": NOON} | fields)
    assert store.alerts.write(incident, expected_version=None, members=[a_member(name) for name in names])
    return incident


def send(store, incident="i1", *, error=None, **fields):
    """Have a delivery tried."""
    holder = an_incident(key=None, state=IncidentState.CLOSED)
    assert store.alerts.write(
        holder, expected_version=None, deliveries=[a_delivery(incident=incident, channel="log", **fields)]
    )
    [one] = store.alerts.claim_deliveries("log", lease=MINUTE, now=NOON)
    store.alerts.settle_delivery(failed(one, error, now=NOON) if error else sent(one, now=NOON))


def test_what_is_wrong_is_listed_newest_first(store, noon_rota):  # R50, R63
    write(store, job="a", key="a")
    write(store, job="b", key="b", number=1200)

    result = noon_rota("alerts")

    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert "b fails for 2 tenants: E: boom" in lines[1]
    assert "1,200" in lines[1]
    assert "a fails" in lines[2]


def test_nothing_wrong_says_so(noon_rota):  # R50
    result = noon_rota("alerts")

    assert (result.exit_code, "nothing is wrong" in result.stderr) == (0, True)


def test_what_is_over_is_listed_where_it_is_asked_for(store, noon_rota):  # R50
    write(store, state=IncidentState.CLOSED, closed_at=NOON, affected=0)

    assert json.loads(noon_rota("alerts", "list", "--json").stdout)["data"] == []
    [row] = json.loads(noon_rota("alerts", "list", "--all", "--json").stdout)["data"]
    assert row["state"] == "closed"


def test_an_incident_is_shown_with_whom_it_meets_and_what_was_told(store, noon_rota):  # R50
    incident = write(store, run_id="r1", id="0" * 24 + "deadbeef")
    send(store, incident.id)

    result = noon_rota("alerts", "show", "deadbeef")

    assert result.exit_code == 0
    for text in ("report fails for 2 tenants", "acme: 1 times", "told log that it began: sent", "rota failures"):
        assert text in result.stdout


def test_what_a_job_says_does_nothing_to_a_terminal(store, noon_rota):  # R65
    incident = write(store, error=HOSTILE, names=(HOSTILE,))

    shown = noon_rota("alerts").stdout + noon_rota("alerts", "show", incident.id).stdout

    assert not any(char in shown for char in "\x1b\x07\u202e\x9b")


def test_who_acknowledges_is_seen_and_in_the_audit(store, noon_rota):  # R50
    incident = write(store)

    result = noon_rota("alerts", "ack", incident.id, "--note", "looking at it")

    [row] = json.loads(noon_rota("alerts", "--json").stdout)["data"]
    [entry] = store.audit(AuditQuery(target=incident.id))
    assert result.exit_code == 0
    assert (row["state"], row["note"], row["seen_by"]) == ("acked", "looking at it", entry.actor)
    assert (entry.action, entry.reason, entry.via) == ("incident.ack", "looking at it", "cli")


def test_an_incident_is_muted_until_a_time_or_until_it_is_over(store, noon_app, noon_rota):  # R50
    incident = write(store)

    noon_rota("alerts", "mute", incident.id, "--until", "+8h")
    until = noon_app.incidents.get(incident.id)
    noon_rota("alerts", "mute", incident.id, "--for", "1h")
    length = noon_app.incidents.get(incident.id)
    noon_rota("alerts", "mute", incident.id)
    for_good = noon_app.incidents.get(incident.id)
    noon_rota("alerts", "unmute", incident.id)
    again = noon_app.incidents.get(incident.id)

    assert (until.muted_at, until.muted_until) == (NOON, NOON + 8 * HOUR)
    assert length.muted_until == NOON + HOUR
    assert (for_good.muted_at, for_good.muted_until) == (NOON, None)
    assert again.muted_at is None


def test_a_note_goes_along(store, noon_app, noon_rota):  # R50
    incident = write(store)

    noon_rota("alerts", "note", incident.id, "the host is back at three, says mysql://ops:canary@db")

    [remark] = noon_app.incidents.get(incident.id).remarks
    assert remark.text == "the host is back at three, says mysql://ops:***@db"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (("show", "nobody"), 3),
        (("ack", "nobody"), 3),
        (("mute", "{id}", "--until", "2020-01-01"), 2),
        (("mute", "{id}", "--until", "+1h", "--for", "1h"), 2),
        (("mute", "{id}", "--for", "ever"), 2),
        (("note", "{id}", " "), 2),
        (("unmute", "{id}"), 5),
        (("test", "pager"), 3),
        (("nonsense",), 2),
    ],
)
def test_what_cannot_be_done_is_said_with_its_code(store, noon_rota, line, code):  # R63, R64
    incident = write(store)

    result = noon_rota("alerts", *[word.format(id=incident.id) for word in line])

    assert result.exit_code == code, result.output


def test_what_is_over_is_not_acknowledged(store, noon_app):  # R50
    incident = write(store, state=IncidentState.CLOSED, closed_at=NOON)

    with pytest.raises(Refused, match="is over"):
        noon_app.incidents.ack(incident.id)


def test_what_is_over_is_muted_only_up_to_a_time(store, noon_app):  # R50
    incident = write(store, state=IncidentState.CLOSED, closed_at=NOON)

    with pytest.raises(Refused, match="is over"):
        noon_app.incidents.mute(incident.id)
    assert noon_app.incidents.mute(incident.id, until=NOON + HOUR).muted_until == NOON + HOUR


def test_digits_that_mean_several_incidents_mean_none(store, noon_app):  # R64
    write(store, id="abcdef01" + 24 * "0", key="a")
    write(store, id="abcdef02" + 24 * "0", key="b")

    with pytest.raises(IncidentNotFound):
        noon_app.incidents.get("abcdef")


def test_who_acknowledges_while_it_fails_again_loses_neither(store, noon_app):  # R50
    incident = write(store)
    known = noon_app.incidents.get

    def meanwhile(one):
        found = known(one)
        if found.version == 1 and meanwhile.is_armed:
            meanwhile.is_armed = False
            store.alerts.write(replace(found, version=2, number=9), expected_version=1)
        return found

    meanwhile.is_armed = True
    noon_app.incidents.get = meanwhile

    noon_app.incidents.ack(incident.id, actor="ana")

    assert (known(incident.id).number, known(incident.id).acked_by) == (9, "ana")


def test_a_channel_is_tried_from_here(noon_rota, caplog):  # R50
    with caplog.at_level("INFO", logger="rota.alerts"):
        result = noon_rota("alerts", "test", "log")

    assert result.exit_code == 0
    assert "nothing is wrong" in caplog.text


def test_a_channel_that_does_not_accept_a_trial_says_why(noon_app, noon_rota, monkeypatch):  # R50, H1
    class Down:
        def send(self, alert):
            raise DeliveryFailed("the mail server refused")

    monkeypatch.setattr("rota.incidents.notifiers", lambda *_, **__: {"log": Down()})

    result = noon_rota("alerts", "test", "log")

    assert result.exit_code == 1
    assert "the mail server refused" in result.stderr


def test_deliveries_are_listed_with_what_became_of_them(store, noon_rota):  # R50
    send(store, "i1")
    send(store, "i2", error="refused")

    rows = json.loads(noon_rota("alerts", "deliveries", "--json").stdout)["data"]

    assert [(row["incident"], row["state"], row["error"]) for row in rows] == [
        ("i2", "waiting", "refused"), ("i1", "sent", "")
    ]  # fmt: skip


def test_a_channel_that_accepts_nothing_is_seen_everywhere(store, noon_rota):  # R50, H1
    send(store, error="no route")

    channels = noon_rota("alerts", "channels")

    assert (channels.exit_code, "failing" in channels.stdout, "no route" in channels.stdout) == (1, True, True)
    assert "channel log accepts nothing: no route" in noon_rota("alerts").stderr
    assert "not accepted by log" in noon_rota("status").stdout
    assert "channel log accepts nothing: no route" in noon_rota("doctor").stdout


def test_a_channel_that_accepts_again_is_well(store, noon_rota):  # R50
    send(store, "i1", created_at=NOON - DAY)
    result = noon_rota("alerts", "channels")

    assert (result.exit_code, result.stdout.splitlines()[1].split()[0]) == (0, "ok")


def test_the_verdict_counts_incidents_and_those_that_somebody_sees_to_are_no_alarm(store, noon_app, noon_rota):  # R50
    incident = write(store)
    fresh = noon_rota("status")
    noon_app.incidents.ack(incident.id)
    seen = noon_rota("status")

    assert "✗ Alerts     1 incident: report fails for 2 tenants" in fresh.stdout
    assert fresh.exit_code == 1
    assert "! Alerts     1 incident, acknowledged or muted" in seen.stdout


def test_failures_of_which_nobody_takes_note_are_a_finding(noon_app, noon_rota):  # R50, R52
    at = NOON - timedelta(hours=1)
    noon_app.store.enqueue([a_run(job="report", due_at=at, created_at=at)], now=at)
    [run] = claim(noon_app.store, now=at)
    settle_all(noon_app.store, ended(run, Outcome.FAILED, retry=False, now=at), now=at)

    assert "no process takes note" in noon_rota("doctor").stdout


def test_a_guard_that_is_taken_away_is_shown(noon_app, noon_rota):  # T68
    mail = {"to": ["ops@example.org"], "insecure_certificate": "true", "insecure_plaintext": False}
    channel = ChannelSettings(kind="email", name="night", options=mail)
    noon_app.configure(replace(noon_app.settings, alerts=AlertSettings(channel=(channel,))))

    shown = noon_rota("doctor").stdout

    assert "insecure_certificate is on for channel night" in shown
    assert "insecure_plaintext" not in shown


def test_a_mute_in_the_past_is_refused(store, noon_app):  # R64
    incident = write(store)

    with pytest.raises(ConfigurationError, match="over already"):
        noon_app.incidents.mute(incident.id, until=NOON)
