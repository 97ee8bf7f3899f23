"""The exposition, read as Prometheus reads it."""

import re

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families

from rota.core.rollup import EDGES_S
from rota.errors import StoreUnavailable
from rota.metrics import openmetrics, prometheus
from rota.metrics.exposition import ReadingCollector
from rota.metrics.reading import read
from rota.settings import MetricsSettings
from tests.house.source import ROOT
from tests.metrics.house import add, an_app, busy_app, counted, families, values
from tests.values import HOUR, NOON, SECOND, a_measure, a_rollup, a_worker

TENANTS = MetricsSettings(tenant_label=("acme",))


def test_runs_are_counted_by_job_queue_and_outcome():  # R53
    assert values(busy_app(), "rota_runs_total") == {
        "job=report,outcome=succeeded,queue=default": 3.0,
        "job=report,outcome=failed,queue=default": 1.0,
        "job=report,outcome=timed_out,queue=default": 0.0,
    }


def test_the_first_failure_of_a_job_is_an_increase():  # R53
    app = an_app()

    @app.job(queue="mail")
    def never_ran() -> None:
        """Wait for its time."""

    # Of a series that begins with 1, Prometheus sees none.
    assert values(app, "rota_runs_total") == {
        "job=never_ran,outcome=failed,queue=mail": 0.0,
        "job=never_ran,outcome=timed_out,queue=mail": 0.0,
    }
    assert values(app, "rota_retries_total") == {"job=never_ran,queue=mail,reason=lost": 0.0}


def test_attempts_after_which_a_run_goes_on_are_no_runs():  # R53
    assert values(busy_app(), "rota_retries_total") == {
        "job=report,queue=default,reason=retried": 1.0,
        "job=report,queue=default,reason=lost": 0.0,
    }


def test_durations_are_a_histogram_whose_buckets_only_grow():  # R53
    app = busy_app()

    buckets = values(app, "rota_run_duration_seconds_bucket")
    numbers = list(buckets.values())
    assert len(buckets) == len(EDGES_S) + 1
    assert numbers == sorted(numbers)
    assert buckets["job=report,le=2.0,queue=default"] == 3.0
    assert buckets["job=report,le=+Inf,queue=default"] == 4.0
    assert values(app, "rota_run_duration_seconds_count") == {"job=report,queue=default": 4.0}
    assert values(app, "rota_run_duration_seconds_sum") == {"job=report,queue=default": 32.0}


def test_waits_rounds_tenants_parts_and_own_numbers_are_told():  # R53
    app = busy_app()

    assert values(app, "rota_run_wait_seconds_sum") == {"job=report,queue=default": 1.0}
    assert values(app, "rota_rounds_total") == {"job=report,outcome=partial": 1.0, "job=report,outcome=failed": 0.0}
    assert values(app, "rota_round_tenants_total") == {"job=report,outcome=failed": 1.0}
    assert values(app, "rota_round_duration_seconds_sum") == {"job=report": 60.0}
    assert values(app, "rota_parts_total") == {"job=email_sync,outcome=failed": 1.0}
    assert values(app, "rota_job_number_sum") == {"job=report,name=rows": 500.0}


def test_queue_depth_and_age_lag_of_the_schedules_and_age_of_loops_are_told():  # R53
    app = busy_app()

    assert values(app, "rota_queue_runs")["queue=default,state=queued"] == 1.0
    assert values(app, "rota_queue_oldest_age_seconds") == {"queue=default": 90.0}
    assert values(app, "rota_schedule_lag_seconds") == {"": 40.0}
    assert values(app, "rota_loop_age_seconds") == {"loop=scheduler": 7.0}
    assert values(app, "rota_workers") == {"state=alive": 1.0, "state=silent": 0.0}


def test_a_worker_that_is_not_heard_of_is_silent_and_its_loops_say_nothing():  # R53
    app = an_app()
    app.store.register(a_worker(last_seen=NOON - HOUR, stamps={"scheduler": NOON - 2 * HOUR}))

    assert values(app, "rota_workers") == {"state=alive": 0.0, "state=silent": 1.0}
    assert values(app, "rota_loop_age_seconds") == {}


def test_no_tenant_is_a_label_unless_it_is_on_the_list():  # R53
    assert "acme" not in prometheus(busy_app())
    assert "tenant=" not in prometheus(busy_app())


def test_a_tenant_on_the_list_has_series_of_its_own_and_the_others_are_one():  # R53
    app = an_app(metrics=TENANTS)
    add(app, a_rollup(tenant="acme"), a_rollup(tenant="globex"), a_rollup(tenant="initech"), apart=("acme", "globex"))

    assert counted(app, "rota_runs_total") == {
        "job=report,outcome=succeeded,queue=default,tenant=acme": 1.0,
        # Also that which was on the list once.
        "job=report,outcome=succeeded,queue=default,tenant=": 2.0,
    }


def test_a_tenant_that_is_not_on_the_list_any_more_is_counted_with_the_others():  # R53
    app = an_app()
    add(
        app, a_rollup(tenant="acme"), a_rollup(tenant=""), measures=(a_measure(), a_measure(tenant="")), apart=("acme",)
    )

    assert counted(app, "rota_runs_total") == {"job=report,outcome=succeeded,queue=default": 2.0}
    assert values(app, "rota_job_number_sum") == {"job=report,name=rows": 1000.0}


def test_two_processes_say_the_same():  # R53
    app = busy_app()

    assert prometheus(app) == prometheus(app)


def test_counters_do_not_go_back_when_old_sums_are_pruned():  # R53
    app = busy_app()
    before = values(app, "rota_runs_total")

    app.clock.tick(500 * 24 * HOUR)
    while app.crew(schedules=False).services["pruner"].tick(app.clock.now()) < SECOND:
        pass

    assert values(app, "rota_runs_total") == before


@pytest.mark.parametrize("settings", [{}, {"metrics": TENANTS}], ids=["plain", "tenants"])
def test_the_text_is_as_prometheus_wants_it(settings):  # R53
    text = prometheus(busy_app(**settings))

    lines = text.splitlines()
    helped = [line.split()[2] for line in lines if line.startswith("# HELP")]
    typed = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    series = [line.rsplit(" ", 1)[0] for line in lines if not line.startswith("#")]
    assert helped == typed and len(set(helped)) == len(helped)
    assert len(set(series)) == len(series)
    assert text.endswith("\n")
    for name in helped:
        assert re.fullmatch(r"rota_[a-z_]+", name)


def test_every_metric_stands_in_the_guide():  # R53
    guide = (ROOT / "docs" / "guide" / "metrics.md").read_text("utf-8")

    for name, family in families(busy_app()).items():
        named = f"{name}_total" if family.type == "counter" else name
        assert f"`{named}`" in guide or name == "rota_build_info", named


def test_names_have_their_units_and_counters_say_total():  # R53
    for name, family in families(busy_app()).items():
        if family.type == "counter":
            assert all(sample.name.endswith("_total") for sample in family.samples), name
        if "duration" in name or "age" in name or "lag" in name or "wait" in name:
            assert name.endswith("_seconds"), name
        assert family.documentation.endswith(".")


def test_openmetrics_says_the_same_and_ends_as_it_must():  # R53
    app = busy_app()

    text = openmetrics(app)

    assert text.endswith("# EOF\n")
    assert {one.name for one in open_families(text)} == {name.removesuffix("_info") for name in families(app)}


def test_labels_from_people_cannot_break_the_text():  # R65
    app = an_app()
    add(app, a_rollup(job='a"b\\c\nd\x1b[31m'))

    [series] = [line for line in prometheus(app).splitlines() if line.startswith("rota_runs_total") and "succ" in line]
    assert "\x1b" not in series
    [labels] = counted(app, "rota_runs_total")
    assert labels.startswith('job=a"b\\c')


def test_a_store_that_is_away_is_said_and_not_told_as_nothing(monkeypatch):  # R53
    app = busy_app()

    def away(*_, **__):
        raise StoreUnavailable("store away")

    monkeypatch.setattr(app.store.rollups, "rollups", away)

    with pytest.raises(StoreUnavailable):
        prometheus(app)


def test_an_application_that_has_done_nothing_says_so():  # R53
    assert values(an_app(), "rota_runs_total") == {}
    assert values(an_app(), "rota_schedule_lag_seconds") == {"": 0.0}


@pytest.mark.parametrize("settings", [{}, {"metrics": TENANTS}], ids=["plain", "tenants"])
def test_the_text_is_byte_for_byte_what_the_client_would_write(settings):  # R53
    app = busy_app(**settings)
    sums = [a_rollup(job='a"b\\c\nd', number=number) for number in (1_234_567, 10**15, 999_999)]
    add(
        app,
        *sums,
        measures=(a_measure(total=1e-9), a_measure(total=0.1 + 0.2, job="x"), a_measure(total=-5.0, job="y")),
    )
    reading = read(app.store, now=NOON, settings=app.settings)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ReadingCollector(reading, shows_tenants=bool(settings)))

    assert prometheus(app) == generate_latest(registry).decode()
