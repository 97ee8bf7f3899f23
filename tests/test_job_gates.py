"""What a job says of its dependencies, its jitter, and the runs of a round that are out at once."""

import pytest

from rota.errors import ConfigurationError, UnsupportedJob
from rota.views.doctor import examine
from rota.views.status import Level
from tests.engine.house import an_app
from tests.values import MINUTE


def test_dependencies_are_named_or_given_and_each_counts_once():  # R11
    app = an_app()

    @app.job()
    def load() -> None: ...

    @app.job(depends_on=[load, "check", "load"], jitter="5m")
    def report() -> None: ...

    assert report.job.depends_on == ("load", "check")
    assert report.job.jitter == 5 * MINUTE


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depends_on": "load"}, "depends_on takes a list"),
        ({"jitter": "soon"}, "jitter"),
        ({"jitter": "0s"}, "must be longer than nothing"),
        ({"per_tenant": True, "max_parallel": 0}, "must be a number from 1 on"),
        ({"per_tenant": True, "max_parallel": "2"}, "must be a number from 1 on"),
        ({"depends_on": [1]}, "depends_on=1 is neither a job nor the name of one"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused_where_it_is_written(options, message):  # R64
    with pytest.raises(ConfigurationError, match=message):
        an_app().job(name="report", **options)(lambda: None)


def test_places_of_a_round_are_for_jobs_with_tenants():
    with pytest.raises(UnsupportedJob, match="make it per_tenant=True"):
        an_app().job(name="report", max_parallel=2)(lambda: None)


def test_doctor_finds_dependencies_that_are_never_met():  # R11
    app = an_app()
    app.job(name="report", depends_on=["report"])(lambda: None)

    found = next(check for check in examine(app) if check.subject == "App")

    assert (found.level, "report -> report" in found.fact) == (Level.FAILED, True)
