"""Tenants as they are named on the command line: `acme,globex`, `@tag`, `all` (R24)."""

from collections.abc import Sequence

from rota.app import Rota
from rota.core.counting import counted
from rota.errors import BadRequest, TenantNotFound

MOST_NAMED = 5

NOBODY = "it names nobody: name some, or leave it out"
"""Said of a list that came out empty, where leaving it out would mean everybody."""


def chosen(app: Rota, texts: Sequence[str]) -> list[str] | None:
    """Return the ids that the texts after --tenant name, in order and once each; None is every tenant.

    Raises:
        TenantNotFound: a tag that no tenant has. Unknown ids are found by the command that uses them.
        BadRequest: there are texts, and they name nobody.
    """
    words = [word.strip() for text in texts for word in text.split(",") if word.strip()]
    if texts and not words:
        raise BadRequest("tenants", NOBODY)
    if not words or "all" in words:
        return None
    ids: list[str] = []
    listed = app.list_tenants() if any(word.startswith("@") for word in words) else []
    for word in words:
        if not word.startswith("@"):
            ids.append(word)
            continue
        tagged = [tenant.id for tenant in listed if word[1:] in tenant.tags]
        if not tagged:
            raise TenantNotFound(word, known=[f"@{tag}" for tenant in listed for tag in tenant.tags])
        ids.extend(tagged)
    return list(dict.fromkeys(ids))


def excluded(app: Rota, texts: Sequence[str]) -> list[str]:
    """Return the ids that the texts after --exclude name.

    Raises:
        TenantNotFound: a mistyped exclusion would run what was meant to be spared.
    """
    ids = chosen(app, texts) or []
    known = [tenant.id for tenant in app.list_tenants()] if ids else []
    for name in ids:
        if name not in known:
            raise TenantNotFound(name, known=known)
    return ids


def known(app: Rota, name: str, texts: Sequence[str]) -> list[str] | None:
    """Return what `chosen` does, when the job or schedule and the tenants are there: nobody is asked to confirm what
    cannot be.

    Raises:
        JobNotFound, TenantNotFound: there is none of that name.
    """
    if app.store.schedule(name) is None:
        app.find(name)
    ids = chosen(app, texts)
    listed = [tenant.id for tenant in app.list_tenants()] if ids else []
    for name in ids or ():
        if name not in listed:
            raise TenantNotFound(name, known=listed)
    return ids


def said(ids: Sequence[str] | None) -> str:
    """Return the tenants that were chosen, in words."""
    if ids is None:
        return "all tenants"
    return ", ".join(ids) if len(ids) <= MOST_NAMED else counted(len(ids), "tenant")
