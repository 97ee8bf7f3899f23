"""When a tenant is parked, when it is tried again, and what ends that."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.core import circuit as rules
from rota.core.circuit import Probing
from rota.core.controls import Circuit
from rota.core.host import host_of
from tests.values import MINUTE, NOON

THREE = Probing(park_after=3, first=timedelta(seconds=30), most=timedelta(minutes=15))
NAMES = st.text(min_size=1, max_size=20)
PARKED = Circuit(failures=3, reason="refused", parked_at=NOON, probe_at=NOON + MINUTE)


def failed(known: Circuit | None, probing: Probing = THREE) -> Circuit | None:
    return rules.failed(known, "acme", "TenantUnavailable: refused\nmore", probing, now=NOON)


def test_the_third_failure_in_a_row_parks_a_tenant():  # R25
    once = failed(None)
    twice = failed(once)
    thrice = failed(twice)

    assert once == Circuit(failures=1, reason="TenantUnavailable: refused")
    assert twice == Circuit(failures=2, reason="TenantUnavailable: refused")
    assert thrice is not None and (thrice.failures, thrice.parked_at) == (3, NOON)
    assert thrice.probe_at is not None and timedelta(seconds=15) <= thrice.probe_at - NOON <= timedelta(seconds=30)


def test_a_failure_of_a_parked_tenant_changes_nothing():  # R25
    assert failed(PARKED) is PARKED


@pytest.mark.parametrize("park_after", [0, -1])
def test_nobody_is_parked_where_that_is_switched_off(park_after):  # R25
    off = THREE._replace(park_after=park_after)

    assert failed(None, off) is None
    assert not rules.keeps(PARKED, off)


def test_the_first_failure_parks_where_one_is_enough():  # R25
    parked = failed(None, THREE._replace(park_after=1))

    assert parked is not None and parked.is_open
    assert rules.keeps(None, THREE._replace(park_after=1))


@pytest.mark.parametrize(
    ("known", "kept"),
    [
        (None, False),
        (Circuit(failures=1, reason=""), False),
        (Circuit(failures=2, reason=""), True),
        (PARKED, True),
    ],
)
def test_a_run_waits_from_the_failure_that_parks_its_tenant_on(known, kept):  # R25
    assert rules.keeps(known, THREE) is kept


@pytest.mark.parametrize(
    ("circuit", "began", "ended"),
    [
        (Circuit(failures=2, reason=""), -MINUTE, True),
        (Circuit(failures=2, reason=""), None, True),
        (PARKED, -MINUTE, False),
        (PARKED, None, False),
        (PARKED, MINUTE, True),
    ],
)
def test_a_success_ends_it_unless_it_began_before_the_tenant_was_parked(circuit, began, ended):  # R25
    assert rules.ends(circuit, began_at=None if began is None else NOON + began) is ended


def test_whoever_tries_a_tenant_moves_its_next_probe_on_first():  # R25
    claimed = rules.claimed(PARKED, "acme", THREE, now=NOON + MINUTE)

    assert rules.is_due(PARKED, now=NOON + MINUTE) and not rules.is_due(PARKED, now=NOON)
    assert claimed.probes == 1 and not rules.is_due(claimed, now=NOON + MINUTE)
    assert claimed.parked_at == PARKED.parked_at


@given(tenant=NAMES, first_s=st.integers(1, 600), most_s=st.integers(1, 100_000))
def test_the_delay_between_probes_grows_and_has_a_limit(tenant, first_s, most_s):  # R25
    probing = Probing(first=timedelta(seconds=first_s), most=timedelta(seconds=most_s))

    delays = [rules.probe_delay(tenant, probes, probing) for probes in range(60)]

    assert delays == sorted(delays)
    assert all(min(probing.first, probing.most) / 2 <= delay <= probing.most for delay in delays)
    assert delays[-1] >= probing.most / 2


def test_the_tenants_of_one_dead_host_are_not_all_tried_at_once():  # R25
    delays = [rules.probe_delay(f"agency-{number}", 5, THREE) for number in range(500)]

    per_second = [sum(1 for delay in delays if int(delay.total_seconds()) == second) for second in range(901)]
    assert max(per_second) <= 10


def test_a_reason_is_one_short_line():
    assert rules.in_vain(PARKED, "").reason == "no reason was given"
    assert len(rules.in_vain(PARKED, "x" * 5_000).reason) == rules.LONGEST_REASON


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("postgresql://ops:hunter2@DB-3.example/acme", "db-3.example"),
        ("postgresql+psycopg://ops:p%40ss@db-3:5432/acme?x=@elsewhere", "db-3"),
        ("mysql://db-3", "db-3"),
        ("mysql+pymysql://ops:a/b:c@db-3/acme", "db-3"),
        ("postgresql://ops@[2001:DB8::1]:5432/acme", "2001:db8::1"),
        ("postgresql:///acme?host=/run/postgresql", "/run/postgresql"),
        ("postgresql:///acme", None),
        ("sqlite:////data/acme.db", None),
        ("sqlite://", None),
        ("no url", None),
        (None, None),
    ],
)
def test_the_host_of_a_database_is_read_from_its_url(url, host):  # R22
    assert host_of(url) == host
