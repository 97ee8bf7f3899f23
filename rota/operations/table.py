"""All operations. What stands here is open to HTTP, to whom its line says; what does not is not."""

from typing import Any

from rota.operations.audit import list_audit
from rota.operations.backfill_changes import (
    cancel_backfill,
    pause_backfill,
    preview_backfill,
    resume_backfill,
    set_backfill,
    start_backfill,
)
from rota.operations.backfills import list_backfills, show_backfill
from rota.operations.configuration import show_settings
from rota.operations.doctor import run_doctor
from rota.operations.enqueueing import enqueue_run, enqueue_runs
from rota.operations.errors import list_errors, show_error
from rota.operations.explaining import explain
from rota.operations.failures import count_failures
from rota.operations.finding import find_by_id
from rota.operations.flows import show_flow
from rota.operations.following import follow_backfill, follow_rounds
from rota.operations.freshness import judge_freshness
from rota.operations.importing import import_schedules
from rota.operations.incident_changes import (
    ack_incident,
    mute_incident,
    note_incident,
    try_channel,
    unmute_incident,
)
from rota.operations.incidents import list_channels, list_deliveries, list_incidents, show_incident
from rota.operations.jobs import list_jobs, show_job
from rota.operations.limit_changes import drop_limit, set_limit
from rota.operations.limits import list_limits
from rota.operations.logs import read_log
from rota.operations.metrics import show_metrics
from rota.operations.operation import Operation
from rota.operations.pause_changes import (
    pause_job,
    pause_queue,
    pause_tenant,
    resume_job,
    resume_queue,
    resume_tenant,
)
from rota.operations.paused import list_pauses
from rota.operations.pings import ping
from rota.operations.progress import list_progress, mark_success, reset_progress
from rota.operations.queues import list_queues, show_queue
from rota.operations.rounds import list_rounds, show_round
from rota.operations.run_changes import cancel_run, cancel_runs, retry_run, retry_runs
from rota.operations.runs import list_runs, runs_standing, show_run
from rota.operations.schedule_changes import (
    delete_schedule,
    exclude_tenant,
    override_schedule,
    pause_schedule,
    put_schedule,
    restore_schedule,
    resume_schedule,
    run_schedule,
)
from rota.operations.schedules import list_schedules, preview_schedule, show_schedule
from rota.operations.shadows import begin_shadow, compare_systems, end_shadow, list_shadows
from rota.operations.slots import list_slots
from rota.operations.starting import preview_start, start_job
from rota.operations.stats import show_stats
from rota.operations.status import show_status
from rota.operations.tenant_changes import recover_tenant, set_tenant
from rota.operations.tenants import list_tenants, show_tenant, try_databases
from rota.operations.tokens import create_token, inspect_token, list_tokens, revoke_token
from rota.operations.triggers import run_pass, trigger_job
from rota.operations.upcoming import list_fires
from rota.operations.workers import list_workers

OPERATIONS: tuple[Operation[Any, Any], ...] = (
    list_errors,
    show_error,
    count_failures,
    find_by_id,
    show_flow,
    judge_freshness,
    list_jobs,
    show_job,
    read_log,
    list_rounds,
    show_round,
    list_runs,
    runs_standing,
    show_run,
    retry_runs,
    retry_run,
    cancel_runs,
    cancel_run,
    start_job,
    preview_start,
    follow_rounds,
    follow_backfill,
    enqueue_run,
    enqueue_runs,
    run_pass,
    trigger_job,
    list_slots,
    show_stats,
    show_status,
    list_fires,
    list_audit,
    list_backfills,
    show_backfill,
    show_settings,
    run_doctor,
    explain,
    list_channels,
    list_deliveries,
    list_incidents,
    show_incident,
    list_limits,
    show_metrics,
    list_pauses,
    list_queues,
    show_queue,
    list_schedules,
    show_schedule,
    preview_schedule,
    list_shadows,
    compare_systems,
    list_tenants,
    show_tenant,
    try_databases,
    list_workers,
    list_tokens,
    create_token,
    inspect_token,
    revoke_token,
    ping,
    list_progress,
    mark_success,
    reset_progress,
    pause_job,
    resume_job,
    pause_tenant,
    resume_tenant,
    pause_queue,
    resume_queue,
    put_schedule,
    override_schedule,
    restore_schedule,
    exclude_tenant,
    pause_schedule,
    resume_schedule,
    begin_shadow,
    end_shadow,
    run_schedule,
    delete_schedule,
    preview_backfill,
    start_backfill,
    pause_backfill,
    resume_backfill,
    cancel_backfill,
    set_backfill,
    ack_incident,
    mute_incident,
    unmute_incident,
    note_incident,
    try_channel,
    set_limit,
    drop_limit,
    set_tenant,
    recover_tenant,
    import_schedules,
)
