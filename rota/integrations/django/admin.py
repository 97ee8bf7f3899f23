"""Schedules in the admin: list, pause, resume, run now and history, each with a permission of its own."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from msgspec import Struct

from rota.core import model
from rota.errors import RotaError
from rota.integrations.django import rota
from rota.integrations.django.models import Schedule
from rota.queries import RoundQuery

LIST = "admin:rota_schedule_changelist"
ROUNDS = 100
"""How many rounds of a schedule its history shows."""

PERMISSIONS = {"pause": "rota.change_schedule", "resume": "rota.change_schedule", "run": "rota.run_schedule"}
"""What may be done, and with which permission."""


class Row(Struct, frozen=True, kw_only=True):
    """A schedule as the list shows it."""

    schedule: model.Schedule
    is_paused: bool
    tenants: int
    """How many have progress; a job without tenants has one."""
    failing: int
    last_success: object
    """Of all its tenants the oldest; None where one has never succeeded."""


@admin.register(Schedule)
class ScheduleAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for type checkers only
    """The schedules of the store: there is nothing to add, edit or delete through a model."""

    def has_add_permission(self, _request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        # Who may change one does so by the buttons of the list.
        return False

    def get_urls(self) -> list[URLPattern]:
        """Return the pages: the list, what is done to one, and its history."""
        wrap = self.admin_site.admin_view
        return [
            path("", wrap(self.listed), name="rota_schedule_changelist"),
            path("do/<path:name>", wrap(self.do), name="rota_schedule_do"),
            path("<path:name>", wrap(self.rounds), name="rota_schedule_history"),
        ]

    def listed(self, request: HttpRequest) -> HttpResponse:
        """Show all schedules, with buttons for what this user may do."""
        self._allow(request, "rota.view_schedule")
        rows: list[Row] | None = None
        try:
            rows = _rows()
        except RotaError as error:
            messages.error(request, str(error))
        return self._page(request, "list", title="Schedules", rows=rows, may=_may(request))

    def rounds(self, request: HttpRequest, name: str) -> HttpResponse:
        """Show what a schedule has fired, newest first."""
        self._allow(request, "rota.view_schedule")
        try:
            schedule = rota.schedules.get(name)
            rounds = rota.store.rounds(RoundQuery(schedule=name, limit=ROUNDS))
            counts = rota.store.round_counts([round_.id for round_ in rounds]) if rounds else {}
        except RotaError as error:
            messages.error(request, str(error))
            return redirect(LIST)
        told = [
            (round_, ", ".join(f"{number} {state}" for state, number in sorted(counts.get(round_.id, {}).items())))
            for round_ in rounds
        ]
        return self._page(request, "history", title=f"History of {name}", schedule=schedule, rounds=told)

    def do(self, request: HttpRequest, name: str) -> HttpResponse:
        """Pause, resume or run one now."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        action = request.POST.get("action", "")
        self._allow(request, PERMISSIONS.get(action, ""))
        actor = f"admin:{request.user.get_username()}"
        try:
            match action:
                case "pause":
                    reason = request.POST.get("reason", "").strip() or f"paused by {request.user.get_username()}"
                    rota.schedules.pause(name, reason=reason, actor=actor)
                    said = f"Paused {name}: {reason}"
                case "resume":
                    rota.schedules.resume(name, actor=actor)
                    said = f"Resumed {name}: it fires from now on"
                case _:
                    round_ = rota.schedules.run_now(name, actor=actor)
                    said = f"Started {name}: round {round_.id}"
            messages.success(request, said)
        except RotaError as error:
            messages.error(request, str(error))
        return redirect(LIST)

    def _allow(self, request: HttpRequest, permission: str) -> None:
        if not _has(request, permission):
            raise PermissionDenied

    def _page(self, request: HttpRequest, name: str, **context: object) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "opts": self.model._meta, **context}
        return TemplateResponse(request, f"rota/schedule_{name}.html", context)


def _may(request: HttpRequest) -> dict[str, bool]:
    return {action: _has(request, permission) for action, permission in PERMISSIONS.items()}


def _has(request: HttpRequest, permission: str) -> bool:
    # A user model of the project's own may be without permissions: then nobody has any.
    has_perm = getattr(request.user, "has_perm", None)
    return bool(permission) and has_perm is not None and bool(has_perm(permission))


def _rows() -> list[Row]:
    rota.schedules.sync()
    return [_row(schedule) for schedule in rota.schedules.list()]


def _row(schedule: model.Schedule) -> Row:
    known = rota.store.progress(schedule=schedule.name)
    succeeded = [one.last_success for one in known if one.last_success is not None]
    return Row(
        schedule=schedule,
        is_paused=schedule.state is model.ScheduleState.PAUSED,
        tenants=len(known),
        failing=sum(one.failures > 0 for one in known),
        last_success=min(succeeded) if succeeded and len(succeeded) == len(known) else None,
    )
