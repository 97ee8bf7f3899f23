"""The job context of a Flask request: who asked for work, and for which tenant (R37)."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from flask import current_app, g, has_request_context
from msgspec import Struct

from rota.context import RunContext
from rota.errors import ConfigurationError
from rota.integrations.flask import tenants
from rota.job_context import NAME, JobContext, refuse_secrets

Get = Callable[[], object]
Asker = TypeVar("Asker", bound=Get)

FIELDS = ("tenant", "user_id")
"""What a job context has of its own, as text; all else are attributes."""
ASKED = "rota.asked"
"""Of what requests are asked for, in `app.extensions`."""


class Carried(Struct, frozen=True, kw_only=True):
    """A value that goes from a request into the runs that it enqueues."""

    get: Get
    on_g: bool
    """Whether it is `g.<name>` in the run."""


class Asked:
    """What a request is asked for, by name."""

    def __init__(self) -> None:
        self._carried: dict[str, Carried] = {}
        self.attributes: dict[str, Carried] = {}
        """Those that are no field of a job context; grows with each that is added."""

    def add(self, name: str, get: Get, *, on_g: bool) -> None:
        """Ask for another one.

        Raises:
            ConfigurationError: the name is taken, is none for `g`, or looks like that of a secret.
        """
        if name in self._carried:
            raise ConfigurationError(f"carried({name!r}): it is carried already")
        if not name.isidentifier():
            raise ConfigurationError(f"carried({name!r}): it is to be a name, such as agency_id")
        refuse_secrets({name: None})
        carried = self._carried[name] = Carried(get=get, on_g=on_g)
        if name not in FIELDS:
            self.attributes[name] = carried

    def context(self) -> JobContext:
        """Return what this request says. Without a word its tenant is the current one."""
        values = {name: carried.get() for name, carried in self._carried.items()}
        tenant = tenants.current()
        fields = {"tenant": None if tenant is None else tenant.id, **values}
        return JobContext(
            **{name: None if fields.get(name) is None else str(fields[name]) for name in FIELDS},
            attributes={name: values[name] for name in self.attributes if values[name] is not None},
        )

    def put_on_g(self, ctx: RunContext) -> None:
        """Put on `g` what the run was given, of that which is wanted there."""
        if ctx.run.carried is None or NAME not in ctx.carried:
            return
        context = JobContext.deserialize(ctx.carried[NAME])
        values: Mapping[str, Any] = {**context.attributes, "tenant": context.tenant, "user_id": context.user_id}
        for name, carried in self._carried.items():
            if carried.on_g and values.get(name) is not None:
                setattr(g, name, values[name])


def of_request() -> JobContext | None:
    """Return the job context of the request that this code answers; None outside of one."""
    asked = current_app.extensions.get(ASKED) if has_request_context() else None
    return asked.context() if isinstance(asked, Asked) else None
