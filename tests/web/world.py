"""A world of two tenants, acme and globex, with something of each kind that an operation can be asked about.

Made with acme's data or without, it is otherwise the same to the last digit: whoever sees only globex must not be able
to tell the two apart (T25).
"""

import hashlib
from functools import cached_property
from typing import Any

from msgspec.structs import replace
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from rota import Rota, RunContext, every
from rota.access.keys import Algorithm, Key
from rota.access.tokens import sign
from rota.core.campaign import Campaign, CampaignState
from rota.core.controls import Circuit, ControlKind, LimitSetting, Pause, Paused, TenantSetting
from rota.core.definition import Definition
from rota.core.gates import campaign_batch, flow_batch
from rota.core.limits import Limit, LimitScope
from rota.core.model import (
    ErrorReport,
    LogChunk,
    LogLine,
    Note,
    Origin,
    Outcome,
    RoundState,
    Run,
    RunKind,
    ScheduleState,
    State,
    Trigger,
)  # fmt: skip
from rota.core.part import Part, Role
from rota.core.rollup import Grain
from rota.core.watched import Turn
from rota.ports import Store
from rota.queries import AuditQuery, IncidentQuery, RoundQuery, RunQuery
from rota.settings import AlertSettings, AuthSettings, ChannelSettings, FreshnessSettings, Settings
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.values import (
    DAY,
    HOUR,
    MINUTE,
    NOON,
    SECOND,
    a_control,
    a_delivery,
    a_flip,
    a_measure,
    a_member,
    a_pair,
    a_progress,
    a_rollup,
    a_round,
    a_run,
    a_schedule,
    a_sheet,
    a_slot_run,
    a_worker,
    an_alert,
    an_entry,
    an_incident,
    claim,
    given_up,
)  # fmt: skip

THEIRS, OURS = "acme", "globex"
SECRET = "a-secret-of-more-than-thirty-two-bytes-made-for-tests"
KEY = Key(algorithm=Algorithm.HS256, material=SECRET.encode())
MANY = 10_000
BUG = ErrorReport(type="ValueError", message="bad value", traceback="Traceback: ...", place="app.report, line 7")


def id_of(label: str) -> str:
    """Return the id that a thing of this label has in every world."""
    return f"0196{hashlib.sha256(label.encode()).hexdigest()[:28]}"


def bug_of(tenant: str) -> ErrorReport:
    """Return the error that only this tenant meets."""
    fingerprint = f"{tenant:f<8}"[:8].encode().hex()
    return ErrorReport(type="LookupError", message=f"nothing for {tenant}", place="app.sync", fingerprint=fingerprint)


class World:
    """An application, with the data of globex, and with acme's or without it."""

    def __init__(self, *, with_theirs: bool = True, store: Store | None = None) -> None:
        self.clock = FakeClock()
        self.tenants = [THEIRS, OURS] if with_theirs else [OURS]
        self.app = an_app(self.clock, self.tenants, store or MemoryStore())
        self.store = self.app.store
        self.app.schedules.sync()
        self._fill()

    def client(self, **claims: Any) -> TestClient:
        """Return a client of the HTTP door; of who sees everything, unless the claims say otherwise."""
        headers = {"Authorization": f"Bearer {self.token(**claims)}"}
        return TestClient(self.door, headers=headers, raise_server_exceptions=False)

    @cached_property
    def door(self) -> ASGIApp:
        """One for all who ask, as in a process that serves: to make it takes longer than to be asked."""
        return self.app.asgi_app()

    def token(self, **claims: Any) -> str:
        """Return a token that is good for ten minutes of this world."""
        now = int(self.clock.now().timestamp())
        said = {"sub": "ana", "aud": "rota", "iat": now, "exp": now + 600, "scope": "admin"}
        return sign(said | claims, KEY)

    def everything(self) -> object:
        """Return all that the store has, to be compared with itself."""
        store = self.store
        runs = store.runs(RunQuery(kind=None, limit=MANY))
        incidents = store.alerts.incidents(IncidentQuery(limit=MANY))
        return (
            [store.run(run.id) for run in runs],
            [store.log(run.id) for run in runs],
            store.rounds(RoundQuery(limit=MANY)),
            store.schedules(),
            store.progress(),
            store.controls(),
            incidents,
            [store.alerts.members(incident.id) for incident in incidents],
            store.freshness.pairs(),
            store.audit(AuditQuery(limit=MANY)),
        )

    def all_of_theirs(self) -> object:
        """Return what is acme's alone, and all that is still to become runs for others than globex."""
        store = self.store
        everyone = store.runs(RunQuery(kind=None, limit=MANY))
        own = (f"own@{THEIRS}", f"tenant/{THEIRS}", THEIRS, f"tenant:{THEIRS}", id_of("campaign-theirs"))
        return (
            [store.run(run.id) for run in everyone if run.tenant == THEIRS],
            [one for one in store.rounds(RoundQuery(limit=MANY)) if one.id == id_of("round-theirs")],
            [one for one in store.schedules() if one.name in own],
            [one for one in store.progress() if one.tenant == THEIRS],
            [one for one in store.controls() if one.name in own],
            store.alerts.incidents(IncidentQuery(ids=(id_of("incident-theirs"), id_of("incident-shared")))),
            [run.args for run in everyone if run.kind is RunKind.EXPANSION and f'"tenants":["{OURS}"]' not in run.args],
            [one for one in self.app.campaigns.list() if one.tenants != (OURS,)],
        )

    # --- what there is ---

    def _fill(self) -> None:
        for at, tenant in enumerate([THEIRS, OURS]):
            if tenant in self.tenants:
                self._fill_runs(tenant)
                self._fill_flow(tenant, at)
                self._fill_watched(tenant)
                self._fill_controls(tenant, at)
        self._fill_rounds()
        self._fill_schedules()
        self._fill_incidents()
        self._fill_campaigns()
        self._fill_ends()
        self.store.register(a_worker(last_seen=NOON, stamps={"scheduler": NOON}))

    def _fill_runs(self, tenant: str) -> None:
        def run(label: str, **fields: Any) -> Run:
            return a_run(id=id_of(f"{label}-{tenant}"), tenant=tenant, **fields)

        times = {"claimed_at": NOON - MINUTE, "started_at": NOON - MINUTE, "ended_at": NOON, "attempt": 1, "token": 7}
        parent = run("parent", state=State.SUCCEEDED, outcome=Outcome.SUCCEEDED, result='{"rows":3}', **times)
        runs = [
            parent,
            run("child", parent=parent.id, state=State.CANCELLED, reason="not wanted"),
            run("failed", state=State.FAILED, outcome=Outcome.FAILED, error=BUG, **times),
            run("skipped", state=State.SKIPPED, reason="overlaps"),
            run("queued", args='{"args":[7],"kwargs":{"user":"u1"}}'),
            run("later", due_at=NOON + HOUR, job="mail", queue="mail"),
            run("held", held_by=f"tenant/{tenant}"),
            run("first", concurrency_key=f"key-{tenant}"),
            run("second", concurrency_key=f"key-{tenant}"),
            run("running", job="sync", queue="sync"),
            run("gives-up", job="sync", queue="sync"),
            run("breaks", job="sync", queue="sync"),
        ]
        self.store.enqueue(runs, now=NOON)
        line = LogLine(at=NOON, level="INFO", source="stdout", text=f"hello {tenant}")
        for one in runs[:3]:
            chunk = LogChunk(run_id=one.id, token=7, number=0, lines=(line,))
            self.store.note([Note(run_id=one.id, token=7, chunks=(chunk,))], now=NOON)

    def _fill_flow(self, tenant: str, at: int) -> None:
        flow, first = id_of(f"flow-{tenant}"), id_of(f"step1-{tenant}")
        named = {"tenant": tenant, "batch": flow_batch(flow)}
        steps = [
            a_run(id=first, part=Part(role=Role.STEP, number=1, of=2), state=State.SUCCEEDED, **named),
            a_run(
                id=id_of(f"step2-{tenant}"),
                part=Part(role=Role.STEP, number=2, of=2, after=first),
                held_by="flow",
                **named,
            ),
        ]
        self.store.enqueue(steps, now=NOON)
        member = a_run(
            id=id_of(f"member-{tenant}"),
            tenant=tenant,
            batch=flow_batch(id_of("flow-shared")),
            part=Part(role=Role.MEMBER, number=at + 1, of=2),
        )
        self.store.enqueue([member], now=NOON)

    def _fill_watched(self, tenant: str) -> None:
        for schedule in ("report", f"own@{tenant}"):
            progress = a_progress(
                schedule=schedule, tenant=tenant, last_success=NOON - HOUR, last_success_at=NOON - HOUR,
                last_run_id=id_of(f"parent-{tenant}"), last_state=State.SUCCEEDED, failures=1,
            )  # fmt: skip
            self.store.mark(progress, expected=None)
            pair = a_pair(schedule=schedule, tenant=tenant, last_success=NOON - HOUR)
            flip = a_flip(id=id_of(f"flip-{schedule}-{tenant}"), schedule=schedule, tenant=tenant)
            self.store.freshness.turn([Turn(before=None, after=pair, flip=flip)])
        # An hour ago: the pages of who is asked for the last hours have it.
        grains = (Grain.MINUTE, Grain.HOUR, Grain.DAY)
        starts = (NOON - HOUR, NOON - HOUR, NOON.replace(hour=0))
        self.store.rollups.add(
            a_sheet(
                *(
                    a_rollup(grain=grain, start_at=start, tenant=tenant)
                    for grain, start in zip(grains, starts, strict=True)
                ),
                measures=(a_measure(tenant=tenant),),
                source=f"source-{tenant}",
            ),
            now=NOON,
        )

    def _fill_controls(self, tenant: str, at: int) -> None:
        pause = Pause(kind=Paused.TENANT, name=tenant, reason=f"{tenant} moves", author="ana", since=NOON)
        circuit = Circuit(failures=3, reason=f"no route to {tenant}", parked_at=NOON, probe_at=NOON + MINUTE)
        setting = TenantSetting(tz="Europe/Paris", schedules={"report": f"own@{tenant}"})
        limit = LimitSetting(
            limit=Limit(scope=LimitScope.TENANT, name=tenant, running=at + 1), reason="noisy", author="ana", since=NOON
        )
        for kind, name, body in (
            (ControlKind.PAUSE, f"tenant/{tenant}", pause.body()),
            (ControlKind.CIRCUIT, tenant, circuit.body()),
            (ControlKind.TENANT, tenant, setting.body()),
            (ControlKind.LIMIT, f"tenant:{tenant}", limit.body()),
        ):
            entry = an_entry(id=id_of(f"entry-{kind}-{tenant}"), action=f"{kind}.set", target=name)
            self.store.put_control(a_control(kind=kind, name=name, body=body), expected_version=None, audit=entry)

    def _fill_rounds(self) -> None:
        for number, (label, members) in enumerate(
            [("shared", [THEIRS, OURS]), ("theirs", [THEIRS]), ("ours", [OURS]), ("open", [THEIRS, OURS])]
        ):
            present = [tenant for tenant in members if tenant in self.tenants]
            if not present:
                continue
            slot = NOON - (number + 1) * HOUR
            is_over = label != "open"
            round_ = a_round(
                id=id_of(f"round-{label}"), schedule="report", slot=slot, expanded=True,
                expected=len(present),
            )  # fmt: skip
            runs = [
                a_slot_run(
                    id=id_of(f"{label}-{tenant}"), tenant=tenant, slot=slot, schedule="report",
                    round_id=round_.id, state=_state_of(tenant, is_over=is_over), claimed_at=slot, started_at=slot,
                    ended_at=slot + MINUTE if is_over else None,
                    error=BUG if is_over and tenant == THEIRS else None,
                )
                for tenant in members
                if tenant in present
            ]  # fmt: skip
            self.store.add_rounds([round_], runs, now=NOON)
            if is_over:
                state = RoundState.PARTIAL if len(present) == 2 else RoundState.SUCCEEDED
                reason = f"failed for {THEIRS}" if THEIRS in present else None
                self.store.end_round(replace(round_, state=state, reason=reason, ended_at=slot + MINUTE))

    def _fill_schedules(self) -> None:
        for name, tenants in (("own@acme", (THEIRS,)), ("own@globex", (OURS,)), ("some", (THEIRS, OURS))):
            present = tuple(tenant for tenant in tenants if tenant in self.tenants)
            if present:
                schedule = a_schedule(
                    name=name,
                    job="report",
                    timing="every hour",
                    tenants=present,
                    origin=Origin.ROW,
                    next_at=NOON + HOUR,
                    cursor=NOON,
                )
                entry = an_entry(id=id_of(f"entry-{name}"), action="schedule.put", target=name)
                self.store.put_schedule(schedule, expected_version=None, audit=entry)
        for tenant in self.tenants:
            theirs = a_schedule(name=f"held@{tenant}", job="report", timing="every hour", tenants=(tenant,))
            held = replace(theirs, origin=Origin.ROW, state=ScheduleState.PAUSED, reason="moves")
            edited = replace(theirs, name=f"edited@{tenant}", declared=Definition.of(theirs).written)
            for schedule in (held, edited):
                self.store.put_schedule(schedule, expected_version=None)
        general = self.store.schedule("report")
        assert general is not None
        excluded = tuple(tenant for tenant in (THEIRS,) if tenant in self.tenants)
        self.store.put_schedule(replace(general, exclude=excluded), expected_version=general.version)

    def _fill_incidents(self) -> None:
        for label, members in (("shared", [THEIRS, OURS]), ("theirs", [THEIRS]), ("ours", [OURS])):
            present = [tenant for tenant in members if tenant in self.tenants]
            if not present:
                continue
            incident = an_incident(
                id=id_of(f"incident-{label}"), key=f"key-{label}", error=f"ValueError of {present[0]}",
                number=3 * len(present), affected=len(present), run_id=id_of(f"failed-{present[0]}"),
            )  # fmt: skip
            delivery = a_delivery(
                id=id_of(f"delivery-{label}"), incident=incident.id,
                alert=an_alert(id=id_of(f"alert-{label}"), incident=incident.id, tenants=tuple(present)),
            )  # fmt: skip
            self.store.alerts.write(
                incident,
                expected_version=None,
                members=[
                    a_member(
                        tenant, number=3, last_at=NOON + (tenant == THEIRS) * SECOND,
                        last_run_id=id_of(f"failed-{tenant}"),
                    )
                    for tenant in present
                ],
                deliveries=[delivery],
            )  # fmt: skip

    def _fill_campaigns(self) -> None:
        for label, tenants in (("theirs", (THEIRS,)), ("ours", (OURS,)), ("everybody", None), ("held", (OURS,))):
            if label == "theirs" and THEIRS not in self.tenants:
                continue
            campaign = Campaign(
                id=id_of(f"campaign-{label}"), job="report", schedule="report", since=NOON - DAY,
                until=NOON, tenants=tenants,
                state=CampaignState.PAUSED if label == "held" else CampaignState.RUNNING, created_at=NOON, total=4,
            )  # fmt: skip
            control = a_control(kind=ControlKind.CAMPAIGN, name=campaign.id, body=campaign.body())
            self.store.put_control(control, expected_version=None)
            for tenant in tenants or () if label != "held" else ():
                run = a_slot_run(
                    id=id_of(f"backfilled-{tenant}"), tenant=tenant, slot=NOON - 20 * HOUR,
                    schedule="report", trigger=Trigger.BACKFILL, batch=campaign_batch(campaign.id),
                )  # fmt: skip
                self.store.enqueue([run], now=NOON)

    def _fill_ends(self) -> None:
        """Have one run of each tenant running, and one failed for good by a worker."""
        for tenant in self.tenants:
            others = frozenset({THEIRS, OURS} - {tenant})
            claimed = {run.id: run for run in claim(self.store, queues={"sync": 3}, except_tenants=others)}
            shared, own = claimed[id_of(f"gives-up-{tenant}")], claimed[id_of(f"breaks-{tenant}")]
            self.store.settle([given_up(shared, now=NOON), given_up(own, now=NOON, error=bug_of(tenant))], now=NOON)


def an_app(clock: FakeClock, tenants: list[str], store: Store) -> Rota:
    """Return an application with a job of each kind."""
    settings = Settings(
        auth=AuthSettings(secret=SECRET),
        alerts=AlertSettings(channel=(ChannelSettings(kind="log", name="ops"),)),
        freshness=FreshnessSettings(watch={"dump": "daily at 03:00 UTC, within 26h"}),
    )
    app = Rota(store, settings=settings, tenants=tenants, clock=clock)

    @app.job(schedule=every().hour, per_tenant=True)
    def report(ctx: RunContext) -> None: ...

    @app.job(queue="sync", per_tenant=True)
    def sync(ctx: RunContext) -> None: ...

    @app.job(queue="mail")
    def mail(user: str = "") -> None: ...

    @app.job(schedule=every().day.at("02:00"))
    def cleanup() -> None: ...

    return app


def _state_of(tenant: str, *, is_over: bool) -> State:
    if not is_over:
        return State.QUEUED
    return State.FAILED if tenant == THEIRS else State.SUCCEEDED
