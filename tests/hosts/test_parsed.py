"""Each file, read by who it is for, or by a parser as strict."""

import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
import sys

import msgspec
import pytest
import yaml
from cfnlint.api import lint
from compose_spec import PyCompose
from crontab import CronTab
from dockerfile_parse import DockerfileParser
from honcho.environ import parse_procfile

from rota.core.cron import canonical
from rota.web.sqsd import PATHS
from tests.hosts.kubernetes import KINDS
from tests.hosts.values import URL, written

AWKWARD = "/srv/50% off/o'hara $HOME"
"""A folder that each kind of file has to quote in its own way."""


@pytest.fixture(params=["", URL], ids=["here", "of a server"])
def url(request):
    return request.param


# --- systemd ---


def units(**said):
    return written("systemd", command=(sys.executable, "-m", "rota"), **said)


def test_units_are_what_systemd_reads(tmp_path, url):
    if shutil.which("systemd-analyze") is None:
        if os.environ.get("CI") in ("true", "1"):
            pytest.fail("install the package systemd, or run scripts/services", pytrace=False)
        pytest.skip("no server for this test: no systemd-analyze either: install systemd, or run scripts/services")
    for name, text in units(url=url, directory=AWKWARD).items():
        (tmp_path / name).write_text(text)

    told = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *sorted(map(str, tmp_path.iterdir()))],
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "info"}, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip

    # It also reads the units of this machine.
    assert [line for line in told.stderr.splitlines() if "/rota" in line or line.startswith("rota")] == []
    assert told.returncode == 0, told.stderr


def unit(text):
    parser = configparser.ConfigParser(interpolation=None, strict=True, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str
    parser.read_string(text)
    return parser


def test_the_unit_of_the_workers_leaves_the_drain_to_the_supervisor_and_needs_no_root():  # R45
    service = unit(units()["rota.service"])["Service"]

    assert service["KillMode"] == "mixed"
    assert (service["User"], service["NoNewPrivileges"], service["CapabilityBoundingSet"]) == ("app", "yes", "")
    assert service["ExecStart"] == f"{sys.executable} -m rota start"


def test_a_folder_with_awkward_letters_is_quoted_as_a_unit_wants_it():
    service = unit(units(directory=AWKWARD)["rota.service"])["Service"]

    assert service["WorkingDirectory"] == "/srv/50%% off/o'hara $HOME"
    assert service["ReadWritePaths"] == '"/srv/50%% off/o\'hara $HOME"'


def test_the_timer_starts_the_pass_of_its_name_each_minute():
    files = units()

    assert unit(files["rota-tick.timer"])["Timer"]["OnCalendar"] == "minutely"
    assert unit(files["rota-tick.service"])["Service"]["Type"] == "oneshot"


# --- cron ---


def test_the_line_is_what_cron_reads(url):
    [item] = CronTab(tab=written("cron", url=url, directory=AWKWARD)["rota.crontab"])

    assert item.is_valid()
    assert canonical(str(item.slices)) == "* * * * *"


def test_the_line_means_to_the_shell_what_it_says():
    text = written("cron", directory=AWKWARD, command=("/opt/100%/rota",))["rota.crontab"]
    # As cron hands it on: a percent sign with a backslash is one, a bare one would end it.
    line = re.sub(r"\\%", "%", text.removeprefix("* * * * * ").strip())

    assert not re.search(r"(?<!\\)%", text)
    assert shlex.split(line)[:3] == ["cd", AWKWARD, "&&"]
    assert shlex.split(line)[-6:] == ["ROTA_APP=app:rota", "/opt/100%/rota", "--quiet", "tick", "--max", "15m"]


# --- Kubernetes ---


def manifests(name, **said):
    return list(yaml.safe_load_all(written("k8s", **said)[name]))


def pod_of(manifest):
    spec = manifest["spec"]
    return (spec["jobTemplate"]["spec"] if manifest["kind"] == "CronJob" else spec)["template"]


@pytest.mark.parametrize("name", ["rota.yaml", "rota-serve.yaml", "rota-tick.yaml"])
def test_manifests_fit_the_models_of_kubernetes(name, url):
    for manifest in manifests(name, url=url):
        # Unknown fields are left out by it, and so are missed in what comes back.
        read = msgspec.convert(manifest, KINDS[manifest["kind"]])

        assert without_nothing(msgspec.to_builtins(read)) == manifest


def without_nothing(value):
    match value:
        case dict():
            return {key: without_nothing(item) for key, item in value.items() if item is not None}
        case list():
            return [without_nothing(item) for item in value]
        case _:
            return value


def test_pods_are_those_that_their_owners_select():
    serve, service = manifests("rota-serve.yaml")
    [workers] = manifests("rota.yaml")

    for owner in (serve, workers):
        assert owner["spec"]["selector"]["matchLabels"] == pod_of(owner)["metadata"]["labels"]
    assert service["spec"]["selector"] == pod_of(serve)["metadata"]["labels"]
    assert workers["spec"]["selector"] != serve["spec"]["selector"]


def test_no_container_has_rights_that_it_does_not_need(url):
    for name in written("k8s"):
        for manifest in manifests(name, url=url):
            if manifest["kind"] == "Service":
                continue
            pod = pod_of(manifest)["spec"]
            assert pod["securityContext"]["runAsNonRoot"] is True
            for container in [*pod.get("initContainers", []), *pod["containers"]]:
                assert container["securityContext"] == {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                }


def test_probes_ask_what_needs_no_token():
    [serve, _] = manifests("rota-serve.yaml")
    [container] = pod_of(serve)["spec"]["containers"]

    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}


# --- AWS ---


def test_the_template_is_what_cloudformation_takes():
    text = written("eventbridge", url=URL)["rota-eventbridge.yaml"]

    assert [f"{match.rule.id} {match.message}" for match in lint(text, regions=["eu-west-1"])] == []


def test_a_cron_yaml_asks_for_an_address_that_the_daemon_may():
    [task] = yaml.safe_load(written("eb")["cron.yaml"])["cron"]

    assert task["url"] in PATHS
    assert canonical(task["schedule"]) == "* * * * *"


def test_what_beanstalk_sets_is_text():
    [told] = yaml.safe_load(written("eb")[".ebextensions/rota.config"])["option_settings"].values()

    assert told == {"ROTA_APP": "app:rota", "ROTA_WEB__SQSD": "true"}


# --- containers ---


def test_the_compose_file_is_what_its_specification_allows():
    text = written("compose")["compose.yaml"]
    # Its YAML takes no merge keys; what they make of the file is what counts.
    read = PyCompose.from_yaml(yaml.safe_dump(yaml.safe_load(text)))

    assert sorted(read.service_names()) == ["schema", "serve", "workers"]


def test_what_reads_a_compose_file_is_strict():
    with pytest.raises(ValueError, match="stop_grace_periods"):
        PyCompose.from_yaml("services: {a: {image: x, stop_grace_periods: 1s}}")


def test_a_dockerfile_ends_as_a_user_without_rights_with_a_command_that_gets_the_signals(tmp_path):
    read = DockerfileParser(path=str(tmp_path / "Dockerfile"))
    read.content = written("dockerfile")["Dockerfile"]
    lines = {line["instruction"]: line["value"] for line in read.structure}

    assert lines["USER"] == "1000:1000"
    assert lines["STOPSIGNAL"] == "SIGTERM"
    assert json.loads(lines["CMD"]) == ["rota", "start", "--processes", "1"]
    assert json.loads(lines["HEALTHCHECK"].partition(" CMD ")[2]) == ["rota", "workers", "--here"]
    assert '"rota[mysql,web]"' in lines["RUN"]
    assert subprocess.run(["sh", "-n", "-c", lines["RUN"]], check=False).returncode == 0


@pytest.mark.parametrize(("host", "processes"), [("procfile", ["release", "web", "worker"]), ("eb", ["web"])])
def test_a_procfile_is_what_honcho_reads(host, processes):
    assert sorted(parse_procfile(written(host)["Procfile"]).processes) == processes
