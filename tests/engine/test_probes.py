"""Trying tenants: one that hangs holds up nobody."""

import threading
from collections.abc import Callable

from rota.core.model import Tenant
from rota.engine.probes import AT_ONCE, MOST_HANGING, WITHIN_S, Probes
from rota.errors import TenantUnavailable
from tests.clocks import FakeClock
from tests.system.processes import wait_until
from tests.values import MINUTE


def tenants(count: int) -> list[Tenant]:
    return [Tenant(id=f"agency-{number}") for number in range(count)]


def in_a_thread_that_ends(function: Callable[[], None]) -> None:
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


def test_each_answer_comes_once_with_its_reason():
    def connect(tenant: Tenant) -> None:
        if tenant.id == "agency-1":
            raise TenantUnavailable("refused")

    probes = Probes(connect, monotonic=FakeClock().monotonic, start=lambda function: function())
    for tenant in tenants(2):
        probes.begin(tenant)

    assert probes.answers() == [("agency-0", None), ("agency-1", "refused")]
    assert probes.answers() == [] and not probes.is_busy


def test_a_driver_that_raises_an_error_of_its_own_has_answered_and_is_tried_again():  # R25
    def connect(tenant: Tenant) -> None:
        raise TypeError("connect() got an unexpected keyword argument 'tmieout'")

    probes = Probes(connect, monotonic=FakeClock().monotonic, start=in_a_thread_that_ends)
    [tenant] = tenants(1)
    probes.begin(tenant)

    assert probes.answers() == [
        ("agency-0", "TypeError: connect() got an unexpected keyword argument 'tmieout'"),
    ]
    assert probes.has_room("agency-0")


def test_only_so_many_are_tried_at_once():
    probes = Probes(lambda tenant: None, monotonic=FakeClock().monotonic, start=lambda function: None)
    for tenant in tenants(AT_ONCE):
        assert probes.has_room(tenant.id)
        probes.begin(tenant)

    assert not probes.has_room("agency-99")


def test_one_that_hangs_is_given_up_and_makes_room_but_is_not_tried_again_meanwhile():  # R21, R25
    clock, may_end = FakeClock(), threading.Event()
    probes = Probes(lambda tenant: may_end.wait(20), monotonic=clock.monotonic)
    for tenant in tenants(AT_ONCE):
        probes.begin(tenant)
    assert probes.answers() == [] and probes.is_busy

    clock.tick(MINUTE)

    answers = probes.answers()
    assert {reason for _, reason in answers} == {f"no answer within {WITHIN_S:.0f} s"} and len(answers) == AT_ONCE
    assert probes.has_room("agency-99") and not probes.has_room("agency-0") and not probes.is_busy
    may_end.set()
    late: list[tuple[str, str | None]] = []
    # A late answer says nothing; after it the tenant may be tried again.
    wait_until(lambda: late.extend(probes.answers()) or probes.has_room("agency-0"), what="the late answer")
    assert late == []


def test_with_too_many_that_hang_nobody_is_tried_until_one_comes_back():  # R21
    clock = FakeClock()
    probes = Probes(lambda tenant: None, monotonic=clock.monotonic, start=lambda function: None)
    for tenant in tenants(MOST_HANGING):
        probes.begin(tenant)
    clock.tick(MINUTE)
    probes.answers()

    assert not probes.has_room("agency-999")
