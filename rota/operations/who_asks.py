"""What `/api/v1/session` answers: whom a request comes from."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from rota.core.access import Capability


class WhoAsks(Struct, frozen=True, kw_only=True):
    """Whom a request comes from."""

    subject: str
    capabilities: Sequence[Capability]
    jobs: Sequence[str]
    tenants: Sequence[str] | None
    """Null is all of them."""
    csrf: str | None = None
    """What a page sends as `X-Rota-CSRF` with whatever changes something; null without a session."""
    ends_at: datetime | None = None
    """When the session ends at the latest."""
