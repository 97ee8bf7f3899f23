"""Who asks, as the log says it (T73)."""

from starlette.types import Scope

from rota.core.access import Principal
from rota.core.safe import safe_text
from rota.web.gate import PRINCIPAL, SOURCE


def caller_of(scope: Scope) -> str:
    """Return who asks, with which token or key, and where from."""
    principal: Principal | None = scope.get(PRINCIPAL)
    source = scope.get(SOURCE) or "unknown"
    if principal is None:
        return f"nobody, from {source}"
    return f"{safe_text(principal.subject)}, token {safe_text(principal.token_id) or 'none'}, from {source}"
