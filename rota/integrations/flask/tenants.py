"""The tenant that code works for within an application context: of a run, of a block, of a request."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from flask import current_app, g, has_app_context
from flask.globals import app_ctx

from rota.context import BoundTenant

CURRENT, BEFORE, HELD = "_rota_tenant", "_rota_tenants_before", "_rota_held"
"""On `g`: it ends with its application context, and nobody else's code sees it."""

Scope = tuple[object, BoundTenant | None]


def current() -> BoundTenant | None:
    """Return the tenant that this code works for; None for none, and outside of an application context."""
    found: BoundTenant | None = g.get(CURRENT) if has_app_context() else None
    return found


def around() -> list[BoundTenant | None]:
    """Return for whom this code works and for whom what is around it, in this application context; None for nobody."""
    before: tuple[BoundTenant | None, ...] = g.get(BEFORE, ())
    return [current(), *reversed(before)]


def scope() -> Scope:
    """Return whose `db.session` is meant: one for each tenant in each application context.

    A session remembers the objects that it has loaded, and would answer with those of another tenant. Not by ids,
    as Flask-SQLAlchemy does: they are given again.
    """
    return app_ctx._get_current_object(), current()  # type: ignore[attr-defined]  # it is a proxy


@contextmanager
def entered(tenant: BoundTenant) -> Iterator[BoundTenant]:
    """Work for a tenant within the block. What its session has not committed by then is rolled back."""
    outer, before = current(), g.get(BEFORE, ())
    _work_for(tenant, (*before, outer))
    try:
        yield tenant
    finally:
        # Said again: a tenant that was entered within the block may still be the current one.
        _work_for(tenant, (*before, outer))
        remove_session()
        _work_for(outer, before)


def _work_for(tenant: BoundTenant | None, before: tuple[BoundTenant | None, ...]) -> None:
    setattr(g, CURRENT, tenant)
    setattr(g, BEFORE, before)


def held() -> ExitStack:
    """Return what is left when the application context ends."""
    found: ExitStack | None = g.get(HELD)
    if found is None:
        found = ExitStack()
        setattr(g, HELD, found)
    return found


def leave(_error: BaseException | None = None) -> None:
    """End what `held` holds; called when an application context ends."""
    found: ExitStack | None = g.pop(HELD, None)
    if found is None:
        return
    found.close()
    # Flask-SQLAlchemy has removed the session of the tenant, if it was asked first, and not the one from before.
    _work_for(None, ())
    remove_session()


def remove_session() -> None:
    """Roll back and forget `db.session` as it is meant here, where there is one."""
    db = current_app.extensions.get("sqlalchemy")
    if db is not None:
        db.session.remove()
