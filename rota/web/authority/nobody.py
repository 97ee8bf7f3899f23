"""Nobody in particular: authentication is off, for development on this machine (R62, T9)."""

from datetime import datetime

from rota.core.access import LOCAL, Principal
from rota.errors import Forbidden
from rota.reach.address import is_loopback
from rota.web.authority.same_origin import check_same_origin
from rota.web.head import Head

FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via")
"""What a proxy adds: then it is not this machine that asks, whatever the address says."""


class Nobody:
    """Lets everybody do everything who asks from this machine, for this machine, and not through a web page."""

    is_off = True

    async def principal(self, head: Head, *, now: datetime) -> Principal:
        # Each request again: an application that this is mounted in may bind anything.
        if not is_loopback(head.source):
            raise Forbidden("authentication is off: only this machine is answered")
        if any(name in head.headers for name in FORWARDED):
            raise Forbidden("authentication is off: nothing is answered through a proxy")
        if not is_loopback(head.host):
            # A name of somebody else that leads to 127.0.0.1 makes his page one of ours.
            raise Forbidden("authentication is off: ask for localhost")
        check_same_origin(head, strict=False)
        return LOCAL
