"""The casework example: forty agencies, its stores by profile, its metrics, and all of it as processes."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer
from sqlalchemy import select

from examples.casework.agencies import add_agency
from examples.casework.app import create_app, rota
from examples.casework.demo.agency import furnish, token_of
from examples.casework.jobs.email_sync import email_sync_agency
from examples.casework.models import Case, Token, db
from rota.core.model import State
from rota.testing import capture

pytestmark = pytest.mark.xdist_group("casework")

EXAMPLE = Path(__file__).parents[2] / "examples" / "casework"
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def agencies(folder, number):
    """Return the URL of so many agencies, with a mailbox each that has not been read for a day."""
    url = f"sqlite:///{folder}/agencies"
    first = add_agency(url, "agency_00")
    furnish(first, "agency_00", mail_port=1, mailboxes=["nobody"], now=NOON - timedelta(days=1))
    for copy in range(1, number):
        shutil.copy(first.database, f"{folder}/agencies/agency_{copy:02}.db")
    return url


def test_each_of_forty_agencies_has_a_run_of_its_own_and_none_stops_another(tmp_path):  # R20, R21, R23
    create_app({"AGENCIES": agencies(tmp_path, 40)})
    with capture(rota) as jobs:
        jobs.fail_tenant("agency_13")
        jobs.advance("10m")

        runs = jobs.runs("EMAIL_SYNC_PERIODIC")
        asked_for = jobs.enqueued("EMAIL_SYNC_ADMIN")

    assert len(runs) == len({run.tenant for run in runs}) == 40
    assert [run.tenant for run in runs if run.state is not State.SUCCEEDED] == ["agency_13"]
    assert {one.tenant for one in asked_for} == {run.tenant for run in runs} - {"agency_13"}


@pytest.mark.parametrize(
    ("profile", "store", "ends"),
    [
        ("development", "memory://", State.SUCCEEDED),
        ("staging", "sqlite:///rota.db", State.SUCCEEDED),
        ("production", "redis://", State.SUCCEEDED),
        ("testing", "blackhole://", None),
    ],
)
def test_where_runs_are_kept_is_said_by_the_profile(profile, store, ends, tmp_path, monkeypatch, request):  # R33
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROTA_CONFIG", str(EXAMPLE / "rota.toml"))
    monkeypatch.setenv("ROTA_PROFILE", profile)
    redis = request.getfixturevalue("redis_database") if profile == "production" else "redis://nowhere"
    monkeypatch.setenv("CASEWORK_REDIS", redis)
    create_app({"AGENCIES": agencies(tmp_path, 3)})
    assert rota.store_url.startswith(store)
    rota.store.setup()

    handle = email_sync_agency.using(tenant="agency_02").enqueue()
    rota.tick()

    history = rota.store.run(handle.id) if ends else None
    assert (history and history.run.state) == ends
    rota.close()


@pytest.fixture
def cloudwatch(monkeypatch):
    """A client of a CloudWatch on loopback, which boto3 finds in the environment."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "eu-central-1", "NO_PROXY": "127.0.0.1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    yield boto3.client("cloudwatch", region_name="eu-central-1")
    server.stop()


def test_what_runs_and_what_it_records_of_itself_gets_to_cloudwatch(tmp_path, cloudwatch):  # R53
    said = {"metrics": {"cloudwatch": "api", "cloudwatch_namespace": "Casework", "cloudwatch_region": "eu-central-1"}}
    create_app({"AGENCIES": agencies(tmp_path, 3), "ROTA": said})
    with capture(rota, now=NOON + timedelta(minutes=29)) as jobs:
        jobs.advance("3m")

    assert sum_of(cloudwatch, "Runs", Job="monitor_email_sync") == 3
    assert sum_of(cloudwatch, "FailedRuns", Job="monitor_email_sync") == 3
    assert sum_of(cloudwatch, "Parts", Job="mailboxes", Outcome="failed") == 3


def sum_of(cloudwatch, name, **dimensions):
    points = cloudwatch.get_metric_statistics(
        Namespace="Casework", MetricName=name, Dimensions=[{"Name": n, "Value": v} for n, v in dimensions.items()],
        StartTime=NOON, EndTime=NOON + timedelta(hours=1), Period=60, Statistics=["Sum"],
    )["Datapoints"]  # fmt: skip
    return sum(point["Sum"] for point in points)


def test_a_refused_password_is_not_tried_again_until_there_is_another(tmp_path, dovecot):
    url = f"sqlite:///{tmp_path}/agencies"
    furnish(add_agency(url, "agency_x"), "agency_x", mail_port=1, mailboxes=[], now=NOON)
    web = create_app({"AGENCIES": url}).test_client()
    box = {"host": "127.0.0.1", "port": dovecot.port, "is_private": False, "username": "box70"}
    ana = {"X-Agency": "agency_x", "Authorization": f"Bearer {token_of('agency_x')}"}
    with capture(rota, now=NOON) as jobs:
        web.put("/mailbox", json=box | {"password": "wrong"}, headers=ana)
        jobs.advance("25m")
        [refused] = jobs.runs("EMAIL_SYNC_ADMIN")
        for _ in range(2):
            web.put("/mailbox", json=box | {"password": "secret"}, headers=ana)
        jobs.drain()

    assert (refused.state, refused.attempt) == (State.FAILED, 1)
    assert refused.error.first_line.endswith("the mail server refuses the password of admin 1")
    # The mailbox that was connected last is the one that is read.
    assert [run.state for run in jobs.runs("EMAIL_SYNC_ADMIN")[1:]] == [State.CANCELLED, State.SUCCEEDED]


def test_flaws_are_named_and_what_has_expired_is_deleted(tmp_path):
    url = f"sqlite:///{tmp_path}/agencies"
    furnish(add_agency(url, "agency_x"), "agency_x", mail_port=1, mailboxes=[], now=NOON)
    create_app({"AGENCIES": url})
    with capture(rota, now=NOON) as jobs:
        with rota.tenant("agency_x"):
            db.session.add(Case(id=99, reference="C-2026-0099", title="Nobody's"))
            db.session.add(Token(digest="old", admin_id=1, expires_at=NOON + timedelta(minutes=30)))
            db.session.add(Token(digest="new", admin_id=1, expires_at=NOON + timedelta(hours=3)))
            db.session.commit()
        jobs.advance("1h")
        [found] = jobs.runs("check_health")
        with rota.tenant("agency_x"):
            kept = set(db.session.scalars(select(Token.digest)))

    assert found.error.first_line.endswith("1 open cases without an admin; 1 open cases without a contact")
    assert "new" in kept and "old" not in kept
