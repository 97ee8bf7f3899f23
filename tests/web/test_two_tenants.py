"""Whoever sees one tenant cannot tell whether there is another one, whatever he asks (T15, T16, T25)."""

import re

import pytest

from rota.operations.operation import Method
from rota.operations.table import OPERATIONS
from rota.operations.wire import carried
from tests.web.samples import ours, theirs
from tests.web.world import OURS, World

READS = [one for one in OPERATIONS if one.method is Method.GET]
WRITES = [one for one in OPERATIONS if one.method is not Method.GET]
SEES = {"tenants": [OURS]}
REFUSED = {
    "ping": {404},
    "pause_job": {403},
    "resume_job": {409},
    "ack_incident": {403},
    "mute_incident": {403},
    "unmute_incident": {409},
    "note_incident": {403},
}
"""What is never done for who sees only some tenants: scripts outside of Rota are of none; what is said of a job, or of
an incident, holds for all."""


@pytest.fixture(scope="module")
def both():
    """Clients of who sees globex: of the world with acme's data, and of the one without."""
    return World().client(**SEES), World(with_theirs=False).client(**SEES)


def asked(client, operation, question, **headers):
    sent = carried(operation, question)
    answer = client.request(str(operation.method), sent.target, content=sent.body, headers=headers)
    # What is new has a new id, here and there.
    return answer.status_code, re.sub("0197[0-9a-f]{28}", "NEW", answer.text), sent


@pytest.mark.parametrize("operation", READS, ids=lambda one: one.name)
def test_no_answer_tells_of_another_tenant(operation, both):  # T15, T25
    statuses = []
    for question in (*ours(operation), *theirs(operation)):
        with_theirs, without = (asked(client, operation, question) for client in both)
        statuses.append(with_theirs[0])

        assert with_theirs == without
    assert_something_was_answered(operation, statuses)


@pytest.mark.parametrize("operation", WRITES, ids=lambda one: one.name)
def test_no_change_tells_of_another_tenant(operation):  # T15, T16
    statuses = []
    for question in ours(operation):
        world, other = _worlds()
        before = world.all_of_theirs()
        with_theirs, without = (asked(one.client(**SEES), operation, question) for one in (world, other))
        statuses.append(with_theirs[0])

        assert with_theirs == without
        assert world.all_of_theirs() == before
        if operation.method is Method.POST:
            # What is asked under a key goes another way.
            asked(world.client(**SEES), operation, question, **{"Idempotency-Key": "once"})
            assert world.all_of_theirs() == before
    assert_something_was_answered(operation, statuses)


@pytest.mark.parametrize("operation", WRITES, ids=lambda one: one.name)
def test_nothing_of_another_tenant_is_changed_or_told(operation):  # T15, T16
    world, without = _worlds()
    before = world.everything()
    for question in theirs(operation):
        answer = asked(world.client(**SEES), operation, question)

        assert answer == asked(without.client(**SEES), operation, question)
        assert world.everything() == before


def assert_something_was_answered(operation, statuses):
    """Refusals alone prove nothing: of each operation something is done, or it is refused to who sees only some."""
    wanted = {403} if operation.is_whole else REFUSED.get(operation.name, {200, 201, 202, 204})
    assert wanted & set(statuses), f"{operation.name} answered {sorted(set(statuses))}: see tests/web/samples.py"


def _worlds():
    return World(), World(with_theirs=False)
