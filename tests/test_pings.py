"""Scripts outside of Rota that are declared in code."""

import pytest

from rota import cron, every
from rota.core.watched import PingKind
from rota.core.words import parse
from rota.errors import BadSchedule
from tests.engine.house import an_app
from tests.values import NOON


@pytest.mark.parametrize(
    "schedule",
    ["daily at 02:00", every().day.at("02:00"), cron("0 2 * * *"), parse("daily at 02:00")],
    ids=["text", "builder", "cron", "timing"],
)
def test_a_script_may_be_declared_with_any_form_of_schedule(schedule):  # R4, R51
    app = an_app()
    app.watch("nightly-dump", schedule=schedule, fresh_within="26h")

    app.pings.record("nightly-dump", PingKind.SUCCESS)

    [watch] = app.pings.declared()
    assert watch.timing is not None
    [progress] = app.store.progress()
    # The slot that the success at noon stands for.
    assert progress.last_success == NOON.replace(hour=2)


def test_a_schedule_that_is_none_is_refused_where_it_is_declared():  # R64
    with pytest.raises(BadSchedule, match="int is no schedule"):
        an_app().watch("nightly-dump", schedule=7)


def test_a_schedule_that_is_not_complete_is_refused_where_it_is_declared():  # R64
    with pytest.raises(BadSchedule):
        an_app().watch("nightly-dump", schedule=every(2))
