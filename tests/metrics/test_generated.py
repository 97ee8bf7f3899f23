"""What `rota generate` prints names only what the exposition has."""

import re
import shlex

import click
import pytest
import yaml

from rota.cli.root import root
from rota.metrics.dashboard import dashboard
from rota.metrics.rules import RULES, rules
from tests.metrics.house import busy_app, families

NAME = re.compile(r"rota_[a-z_]+")
LABELS = re.compile(r"(rota_[a-z_]+)\{([^}]*)\}")


@pytest.fixture(scope="module")
def samples():
    """The labels of each series, by its name."""
    found = {}
    for family in families(busy_app()).values():
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
        # It has no series while nothing is wrong.
        found.setdefault(family.name, set())
    found["rota_incidents"] = {"kind"}
    return found


def panels():
    return dashboard()["panels"]


def expressions():
    shown = [(panel["title"], target["expr"]) for panel in panels() for target in panel["targets"]]
    loaded = yaml.safe_load(rules())
    alerts = [(rule["alert"], rule["expr"]) for group in loaded["groups"] for rule in group["rules"]]
    return shown + alerts


@pytest.mark.parametrize(("title", "expression"), expressions(), ids=lambda text: text[:30])
def test_every_metric_and_label_that_is_named_is_there(samples, title, expression):  # R53
    names = NAME.findall(expression)

    assert names
    assert [name for name in names if name not in samples] == []
    for name, matchers in LABELS.findall(expression):
        assert {re.split("[=!]", matcher)[0] for matcher in matchers.split(",")} <= samples[name]
    for grouped in re.findall(r"by \(([^)]*)\)", expression):
        labels = set().union(*(samples[name] for name in names))
        assert {label.strip() for label in grouped.split(",")} <= labels


def test_every_metric_is_on_the_dashboard():  # R53
    named = set(NAME.findall(" ".join(expression for _, expression in expressions())))

    for family in families(busy_app()).values():
        names = {family.name, *(sample.name for sample in family.samples)}
        assert names & named or family.name == "rota_build_info", family.name


def test_a_dashboard_is_one_that_grafana_10_imports():  # R53
    made = dashboard()

    assert made["schemaVersion"] >= 38 and made["title"] and made["uid"]
    assert len({panel["id"] for panel in panels()}) == len(panels())
    variables = {variable["name"] for variable in made["templating"]["list"]}
    assert {"source", "job"} <= variables
    for panel in panels():
        assert panel["datasource"] == {"type": "prometheus", "uid": "${source}"}
        assert {"type", "title", "gridPos", "targets", "fieldConfig"} <= set(panel)
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_no_two_panels_lie_on_one_another():  # R53
    taken = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken and max(x for x, _ in cells) < 24
        taken |= cells


def test_every_rule_says_how_bad_it_is_and_what_to_do():  # R53
    loaded = yaml.safe_load(rules())

    for rule in loaded["groups"][0]["rules"]:
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"] and rule["annotations"]["action"]
        assert re.fullmatch(r"\d+m", rule["for"])


COMMANDS = [
    command
    for rule in RULES
    for command in rule.advice.replace("{{ $labels.job }}", "report").replace("{{ $labels.queue }}", "mail").split("; ")
    if command.startswith("rota ")
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_a_rule_is_one_of_rota(command):  # R53
    found, ctx, words = root, click.Context(root), shlex.split(command)[1:]
    while isinstance(found, click.Group) and words:
        found = found.get_command(ctx, words.pop(0))
        ctx = click.Context(found)

    # What is not understood, or lacks something, is said here.
    found.parse_args(ctx, words)
