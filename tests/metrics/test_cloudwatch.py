"""What CloudWatch is told, as lines and through its API."""

import json
import socket
import socketserver
import threading
from datetime import timedelta

import pytest

from rota.core.rollup import Subject
from rota.errors import ConfigurationError
from rota.lookouts import make_publisher
from rota.metrics.cloudwatch import Datum, Lines, Minute, Publisher, lines_of
from rota.settings import CloudWatchMode, MetricsSettings
from tests.metrics.house import add, an_app
from tests.values import MINUTE, NOON, SECOND, a_rollup, new_id

TOLD = NOON + MINUTE + 25 * SECOND
"""When the minute of noon is over for long enough."""


class Kept:
    """A sink that keeps what it gets, or fails."""

    failures = (OSError,)

    def __init__(self):
        self.minutes = []
        self.is_away = False

    def send(self, minute):
        if self.is_away:
            raise OSError("https://monitoring.example.org?token=hunter2 is away")
        self.minutes.append(minute)


def told_of(minute):
    """Return the values of a minute, by name and dimensions."""
    return {
        (datum.name, *(f"{name}={value}" for name, value in sorted(datum.dimensions.items()))): datum
        for datum in minute.data
    }


def a_publisher(app, sink):
    return Publisher(app.premises(), sink)


@pytest.fixture
def app():
    app = an_app()
    add(
        app,
        a_rollup(number=9, took=2 * SECOND, wait_sum=10 * SECOND),
        a_rollup(outcome="failed", tenant="globex", took=30 * SECOND),
        a_rollup(outcome="retried"),
        a_rollup(job="other", start_at=NOON - MINUTE),
        a_rollup(subject=Subject.TENANT, outcome="failed", number=4, tenant="", queue=""),
        a_rollup(subject=Subject.ROUND, outcome="partial", tenant="", queue=""),
        a_rollup(subject=Subject.PART, job="email_sync", outcome="failed"),
    )
    return app


def test_a_minute_that_is_over_is_told_by_job(app):  # R53
    sink = Kept()

    a_publisher(app, sink).tick(TOLD)

    [minute] = sink.minutes
    told = told_of(minute)
    assert minute.at == NOON
    assert told["Runs", "Job=report"].values == (10.0,)
    assert told["FailedRuns", "Job=report"].values == (1.0,)
    assert told["RunDuration", "Job=report"].counts == (9, 1)
    assert told["RunDuration", "Job=report"].values[1] == 30.0
    assert told["RunWait", "Job=report"].values == (1.0,)
    assert told["TenantsFailed", "Job=report"].values == (4.0,)
    assert told["Rounds", "Job=report", "Outcome=partial"].values == (1.0,)
    assert told["Parts", "Job=email_sync", "Outcome=failed"].values == (1.0,)
    assert ("Runs", "Job=other") not in told
    assert {name for name, *dimensions in told if not dimensions} == {
        "ScheduleLag", "Workers", "StalePairs", "Incidents",
    }  # fmt: skip


def test_of_two_processes_one_tells_each_minute(app):  # R53
    one, other = Kept(), Kept()
    publishers = [a_publisher(app, one), a_publisher(app, other)]

    for minute in range(3):
        for publisher in publishers if minute % 2 else reversed(publishers):
            publisher.tick(TOLD + minute * MINUTE)

    starts = sorted(minute.at for minute in one.minutes + other.minutes)
    assert starts == [NOON, NOON + MINUTE, NOON + 2 * MINUTE]
    assert one.minutes and other.minutes


def test_it_comes_back_when_the_next_minute_is_over_for_long_enough(app):  # R53
    assert a_publisher(app, Kept()).tick(TOLD) == 55 * SECOND


def test_no_tenant_is_a_dimension_unless_it_is_on_the_list(app):  # R53
    sink = Kept()
    a_publisher(app, sink).tick(TOLD)
    assert not [datum for datum in sink.minutes[0].data if "Tenant" in datum.dimensions]

    listed, sink = an_app(metrics=MetricsSettings(tenant_label=("acme",))), Kept()
    add(listed, a_rollup(tenant="acme"), a_rollup(tenant="globex"))
    a_publisher(listed, sink).tick(TOLD)

    runs = {key: datum.values for key, datum in told_of(sink.minutes[0]).items() if key[0] == "Runs"}
    assert runs == {("Runs", "Job=report"): (2.0,), ("Runs", "Job=report", "Tenant=acme"): (1.0,)}


def test_no_name_is_one_that_cloudwatch_refuses(app):  # R53, R65
    names = ["bäckerei", "a\x1b[2J", " ", "x" * 2000]
    add(app, *[a_rollup(job=name) for name in names])
    sink = Kept()
    a_publisher(app, sink).tick(TOLD)

    jobs = {datum.dimensions["Job"] for datum in sink.minutes[0].data if "Job" in datum.dimensions}
    # One that is refused takes all other metrics of its call along.
    assert jobs >= {"b\\xe4ckerei", "a\\x1b[2J", "' '", "x" * 1024}


def test_a_sink_that_fails_is_said_once_and_gets_what_it_missed(app, caplog):  # R53, R65
    sink = Kept()
    publisher = a_publisher(app, sink)
    sink.is_away = True
    for minute in range(3):
        publisher.tick(TOLD + minute * MINUTE)

    assert caplog.text.count("metrics do not get to CloudWatch: OSError") == 1
    assert "hunter2" not in caplog.text

    sink.is_away = False
    publisher.tick(TOLD + 3 * MINUTE)
    assert [minute.at for minute in sink.minutes] == [NOON + minute * MINUTE for minute in range(4)]


def test_a_sink_that_fails_for_long_misses_what_is_old(app):  # R53
    sink = Kept()
    publisher = a_publisher(app, sink)
    sink.is_away = True
    for minute in range(30):
        publisher.tick(TOLD + minute * MINUTE)
    sink.is_away = False
    publisher.tick(TOLD + 30 * MINUTE)

    assert len(sink.minutes) == 15


# --- lines ---


def a_minute(*data):
    return Minute(at=NOON, data=data)


def a_datum(name="Runs", values=(3.0,), counts=(1,), **dimensions):
    return Datum(name=name, unit="Count", dimensions=dimensions, values=values, counts=counts)


def test_a_line_is_one_of_the_embedded_metric_format():  # R53
    [line] = lines_of(
        a_minute(a_datum(Job="report"), a_datum("RunDuration", (2.0, 30.0), (2, 1), Job="report")), "Rota"
    )

    assert json.loads(line) == {
        "_aws": {
            "Timestamp": int(NOON.timestamp() * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": "Rota",
                    "Dimensions": [["Job"]],
                    "Metrics": [{"Name": "Runs", "Unit": "Count"}, {"Name": "RunDuration", "Unit": "Count"}],
                }
            ],
        },
        "Job": "report",
        "Runs": 3.0,
        "RunDuration": [2.0, 2.0, 30.0],
    }


def test_metrics_of_other_dimensions_are_another_line():  # R53
    lines = lines_of(a_minute(a_datum(Job="a"), a_datum(Job="b"), a_datum()), "Rota")

    assert [json.loads(line).get("Job") for line in lines] == ["a", "b", None]


def test_of_many_durations_their_shares_are_told_and_the_rare_one_too():  # R53
    [line] = lines_of(a_minute(a_datum("RunDuration", (2.0, 30.0), (100_000, 1))), "Rota")

    values = json.loads(line)["RunDuration"]
    assert len(values) <= 100
    assert values.count(30.0) == 1 and values.count(2.0) > 90


def test_names_from_people_cannot_break_a_line():  # R65
    [line] = lines_of(a_minute(a_datum(Job='a"\n\x1b[31m\u202e')), "Rota")

    assert line.isascii() and "\n" not in line and "\x1b" not in line
    assert json.loads(line)["Job"] == 'a"\n\x1b[31m\u202e'


def test_lines_go_to_standard_output(capsys):  # R53
    Lines("Rota").send(a_minute(a_datum(Job="report")))

    assert json.loads(capsys.readouterr().out)["Runs"] == 3.0


def test_lines_go_to_the_socket_of_an_agent():  # R53
    received = []
    done = threading.Event()

    class Agent(socketserver.StreamRequestHandler):
        def handle(self):
            received.extend(self.rfile.read().decode().splitlines())
            done.set()

    with socketserver.TCPServer(("127.0.0.1", 0), Agent) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        Lines("Rota", agent=f"tcp://127.0.0.1:{server.server_address[1]}").send(a_minute(a_datum(Job="a"), a_datum()))
        assert done.wait(10)

    assert [json.loads(line)["Runs"] for line in received] == [3.0, 3.0]


def test_lines_go_to_an_agent_by_udp():  # R53
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as agent:
        agent.bind(("127.0.0.1", 0))
        agent.settimeout(10)
        Lines("Rota", agent=f"udp://127.0.0.1:{agent.getsockname()[1]}").send(a_minute(a_datum()))

        assert json.loads(agent.recv(65536))["Runs"] == 3.0


def test_an_agent_that_is_not_there_is_a_failure_that_is_told():  # R53
    # Taken, so that nobody else gets it, and nobody listens.
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        lines = Lines("Rota", agent=f"tcp://127.0.0.1:{closed.getsockname()[1]}")

        with pytest.raises(lines.failures):
            lines.send(a_minute(a_datum()))


@pytest.mark.parametrize("address", ["127.0.0.1:25888", "http://agent:1", "tcp://agent"])
def test_an_address_that_is_none_is_refused_at_the_start(address):
    app = an_app(metrics=MetricsSettings(cloudwatch=CloudWatchMode.EMF, cloudwatch_agent=address))

    with pytest.raises(ConfigurationError, match="cloudwatch_agent"):
        make_publisher(app.premises())


# --- the API ---


@pytest.fixture(scope="module")
def cloudwatch():
    """The address of a CloudWatch on loopback."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(cloudwatch, monkeypatch):
    """The environment in which boto3 finds it."""
    for name, value in {
        "AWS_ENDPOINT_URL": cloudwatch, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "eu-central-1", "NO_PROXY": "127.0.0.1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    return cloudwatch


def api_settings(**fields):
    return MetricsSettings(cloudwatch=CloudWatchMode.API, cloudwatch_region="eu-central-1", **fields)


def test_a_minute_gets_to_cloudwatch_through_its_api(aws):  # R53
    import boto3

    namespace = f"Rota{new_id()}"
    app = an_app(metrics=api_settings(cloudwatch_namespace=namespace))
    add(app, a_rollup(number=9, took=2 * SECOND), a_rollup(outcome="failed", took=30 * SECOND))

    make_publisher(app.premises()).tick(TOLD)

    client = boto3.client("cloudwatch", region_name="eu-central-1")
    names = {metric["MetricName"] for metric in client.list_metrics(Namespace=namespace)["Metrics"]}
    assert {"Runs", "FailedRuns", "RunDuration", "RunWait", "Workers", "ScheduleLag"} <= names
    [point] = client.get_metric_statistics(
        Namespace=namespace,
        MetricName="Runs",
        Dimensions=[{"Name": "Job", "Value": "report"}],
        StartTime=NOON - MINUTE,
        EndTime=NOON + timedelta(minutes=5),
        Period=60,
        Statistics=["Sum"],
    )["Datapoints"]
    assert point["Sum"] == 10.0


def test_an_api_that_is_away_stops_nothing(aws, monkeypatch, caplog):  # R53
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    app = an_app(metrics=api_settings())
    publisher = make_publisher(app.premises())

    publisher.tick(TOLD)

    assert "metrics do not get to CloudWatch: EndpointConnectionError" in caplog.text


def test_nothing_is_told_where_nothing_is_configured():  # R53
    assert make_publisher(an_app().premises()) is None
    assert "cloudwatch" not in an_app().crew().services


def test_whoever_watches_tells_cloudwatch():  # R53
    app = an_app(metrics=MetricsSettings(cloudwatch=CloudWatchMode.EMF))

    assert "cloudwatch" in app.crew().services
    assert "cloudwatch" not in app.crew(schedules=False).services
