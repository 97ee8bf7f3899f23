"""What waits for what: which dependencies are refused, and which slots have to have succeeded."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from rota.core.dependencies import Dependency, blocker, check, is_zone_asked, needs, round_blocker
from rota.core.model import Progress, ScheduleState, State
from rota.core.policy import Job
from rota.errors import DependencyCycle, UnknownDependency
from tests.values import DAY, HOUR, NOON, a_run, a_schedule, a_slot_run

NIGHTLY = a_schedule(name="import", job="import", timing="daily at 02:00 UTC")
SLOT = datetime(2026, 6, 1, 2, 0, tzinfo=UTC)


def jobs(**depends_on):
    return {name: Job(name=name, depends_on=tuple(names)) for name, names in depends_on.items()}


def a_dependency(**fields):
    per_tenant = fields.pop("per_tenant", True)
    return Dependency(schedule=replace(NIGHTLY, **fields), per_tenant=per_tenant)


def the_need(**fields):
    [need] = needs(a_slot_run(slot=NOON), [a_dependency(**fields)])
    return need


# --- what is refused ---


def test_a_diamond_and_a_chain_are_no_circle():  # R11
    check(jobs(a=["b", "c"], b=["d"], c=["d"], d=[]))


@pytest.mark.parametrize(
    ("known", "named"),
    [
        (jobs(a=["a"]), "a -> a"),
        (jobs(a=["b"], b=["a"]), "a -> b -> a"),
        (jobs(z=["m"], m=["a"], a=["z"], other=[]), "a -> z -> m -> a"),
    ],
)
def test_a_circle_is_named_from_each_job_to_what_it_waits_for(known, named):  # R11
    with pytest.raises(DependencyCycle, match=named):
        check(known)


def test_an_unknown_dependency_is_named_with_what_was_probably_meant():  # R11
    with pytest.raises(UnknownDependency, match=r"'report' depends on 'imprt'.*did you mean 'import'"):
        check(jobs(**{"report": ["imprt"], "import": []}))


def test_a_long_chain_is_checked_without_end_of_stack():
    names = [f"j{number:05}" for number in range(5000)]

    check(jobs(**{name: [after] for name, after in zip(names, [*names[1:]], strict=False)}, j04999=[]))


# --- which slot ---


@pytest.mark.parametrize(
    ("slot", "needed"),
    [
        (NOON, SLOT),
        (SLOT, SLOT),
        (SLOT + HOUR, SLOT),
        (SLOT - HOUR, SLOT - DAY),
    ],
)
def test_the_newest_slot_up_to_the_runs_own_is_needed(slot, needed):  # R11
    [need] = needs(a_slot_run(slot=slot), [a_dependency()])

    assert (need.slot, need.tenant) == (needed, "acme")


@pytest.mark.parametrize(
    "fields",
    [
        {"tenants": ("globex",)},
        {"exclude": ("acme",)},
        {"timing": "at 2026-07-01T00:00 UTC"},
        {"timing": "nonsense"},
    ],
    ids=["for another tenant", "not for this one", "no slot so early", "a broken row"],
)
def test_a_schedule_that_says_nothing_of_this_run_is_not_waited_for(fields):  # R11
    assert needs(a_slot_run(slot=NOON), [a_dependency(**fields)]) == []


def test_a_job_without_tenants_is_needed_as_it_is_by_each_tenant():  # R11
    need = the_need(per_tenant=False)

    assert (need.tenant, need.of_everyone) == ("", False)


def test_a_run_without_a_tenant_needs_every_tenant_of_a_job_that_has_them():  # R11
    [need] = needs(a_slot_run(slot=NOON, tenant=None), [a_dependency()])

    assert need.of_everyone


def test_what_people_start_needs_nothing():  # R11
    assert needs(a_run(tenant="acme"), [a_dependency()]) == []


def test_in_the_zone_of_the_tenant_the_slot_is_that_of_its_zone():  # R11, R15
    dependencies = [a_dependency(timing="daily at 02:00 tenant", zones=("Asia/Tokyo", "Europe/Paris"))]
    run = a_slot_run(slot=NOON)

    tokyo, paris = (needs(run, dependencies, zone=zone) for zone in ("Asia/Tokyo", "Europe/Paris"))

    assert is_zone_asked(dependencies)
    assert not is_zone_asked([a_dependency()])
    # Two at night on the 1st of June: in Tokyo 17:00 UTC of the day before, in Paris midnight UTC.
    assert [need.slot.hour for need in (*tokyo, *paris)] == [17, 0]


# --- whether it is met ---


@pytest.mark.parametrize("last_success", [SLOT, SLOT + DAY])
def test_a_success_in_that_slot_or_a_later_one_will_do(last_success):  # R11
    assert blocker(the_need(), Progress(schedule="import", tenant="acme", last_success=last_success)) is None


@pytest.mark.parametrize(
    ("progress", "why"),
    [
        (None, "not over"),
        (Progress(schedule="import", last_success=SLOT - DAY, last_state=State.SUCCEEDED, last_ended_at=SLOT - DAY),
         "not over"),
        (Progress(schedule="import", last_success=SLOT - DAY, last_state=State.FAILED, last_ended_at=SLOT + HOUR),
         "failed"),
    ],
    ids=["it never ran", "it is overdue", "it failed"],
)  # fmt: skip
def test_what_blocks_a_run_is_said_with_job_tenant_slot_and_state(progress, why):  # R11
    found = blocker(the_need(), progress)

    assert found is not None
    assert found.said == f"import has not succeeded for acme in its slot 2026-06-01 02:00 UTC ({why})"


def test_a_paused_dependency_says_by_whom():  # R11, R12
    need = the_need(state=ScheduleState.PAUSED, paused_by="ana", reason="migration")
    found = blocker(need, None)

    assert found is not None
    assert found.why == "paused by ana: migration"


def test_every_tenant_is_asked_of_the_round():  # R11
    [need] = needs(a_slot_run(slot=NOON, tenant=None), [a_dependency()])
    found = round_blocker(need, has_succeeded=False)

    assert found is not None
    assert found.said == "import has not succeeded in its slot 2026-06-01 02:00 UTC (not for every tenant)"
    assert round_blocker(need, has_succeeded=True) is None
