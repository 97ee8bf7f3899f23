"""Gates, pauses, campaigns, rows and schedules of the code, driven as on the memory store, on real databases."""

from collections.abc import Callable, Sequence
from types import ModuleType

import pytest

from rota.ports import Store
from tests.clocks import FakeClock
from tests.engine import (
    house,
    test_campaigns,
    test_code_schedules,
    test_flow_movers,
    test_flows,
    test_gate_dependencies,
    test_gate_parked,
    test_gate_rounds,
    test_pause,
    test_rows,
)

TELLING: dict[ModuleType, Sequence[str]] = {
    test_flows: (
        "test_each_step_is_given_the_result_of_the_one_before",
        "test_a_chain_may_go_from_tenant_to_tenant",
        "test_a_step_that_fails_for_good_cancels_the_later_ones_with_the_reason",
        "test_a_failed_step_that_is_retried_opens_the_later_ones_again",
        "test_after_a_failure_only_on_complete_runs_and_is_told_who_failed",
        "test_a_member_that_is_retried_and_succeeds_brings_on_success_back",
        "test_a_flow_is_cancelled_whole",
        "test_progress_counts_the_members_and_not_what_follows",
    ),
    test_flow_movers: ("test_any_number_may_look_at_a_flow_and_it_moves_once",),
    test_gate_dependencies: (
        "test_a_run_waits_while_its_tenants_import_has_failed_and_other_tenants_go_on",
        "test_it_goes_on_when_the_import_has_succeeded_at_last",
    ),
    test_gate_parked: ("test_without_catch_up_only_what_is_on_time_runs",),
    test_gate_rounds: (
        "test_the_canary_goes_first_and_the_others_after_it_has_succeeded",
        "test_when_the_canary_fails_the_rest_is_cancelled_with_its_error",
        "test_no_more_runs_of_a_round_are_out_than_its_job_allows",
        "test_two_gatekeepers_do_not_let_out_more_than_there_are_places",
        "test_in_the_zone_of_the_tenant_a_slot_is_for_the_tenants_of_that_zone",
    ),
    test_pause: (
        "test_what_is_queued_of_a_paused_job_waits_aside_and_runs_on_resume",
        "test_a_paused_tenants_slots_are_skipped_with_the_reason_and_missing_for_a_backfill",
    ),
    test_campaigns: (
        "test_no_more_runs_are_out_than_it_has_places",
        "test_it_stops_after_so_many_failures_and_goes_on_when_it_is_resumed",
        "test_a_cancelled_campaign_cancels_what_waits_and_asks_what_runs",
        "test_one_run_stands_for_the_whole_range_and_its_slots_are_not_missing_any_more",
    ),
    test_rows: (
        "test_an_edited_row_is_found_before_its_old_time_and_runs_nothing_of_the_past",
        "test_a_broken_row_is_told_of_once_stops_no_other_and_lives_again_when_mended",
        "test_a_one_time_row_goes_after_its_run_succeeded_and_its_history_stays",
        "test_a_one_time_row_whose_run_failed_stays_as_failed_and_is_told_of_once",
    ),
    test_code_schedules: (
        "test_while_an_older_process_has_a_schedule_a_newer_one_does_not_orphan_it",
        "test_an_override_survives_a_deploy_that_changes_the_code_and_goes_back_on_request",
    ),
}
"""Those that ask most of a store."""

# Rows are written with SQL.
NAMES = [
    pytest.param(kind, module, name, id=f"{kind}-{name.removeprefix('test_')}")
    for kind in ("sqlite", "postgres", "mariadb", "redis")
    for module in TELLING
    if (kind, module) != ("redis", test_rows)
    for name in TELLING[module]
]


@pytest.mark.parametrize(("kind", "module", "name"), NAMES)
def test_it_is_the_same_on_every_store(
    kind: str, module: ModuleType, name: str, begin_anew: Callable[[], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    # R5, R7, R11, R12, R13, R15, R24, R25, R32
    def in_its_place(*, clock: FakeClock) -> Store:  # which is given the time with each call
        return begin_anew()

    for one in (house, module):
        monkeypatch.setattr(one, "MemoryStore", in_its_place, raising=False)

    getattr(module, name)()
