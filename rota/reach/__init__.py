"""Reach a web address that somebody configured, without being led elsewhere by it (T45, T46).

All that Rota itself asks of the web goes through here: webhooks, pings, key sets. A name is resolved once, each address
that it has is judged, and the connection goes to a judged one; how long it may take and how much may come back is
bounded. No proxy is taken from the environment.
"""

from collections.abc import Mapping
from types import MappingProxyType

from rota.clock import Clock
from rota.reach.answer import Answer, Resolve
from rota.reach.terms import Terms
from rota.reach.url import Target, parsed

__all__ = ["Answer", "Target", "Terms", "ask", "parsed"]


def ask(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] = MappingProxyType({}),
    body: bytes = b"",
    terms: Terms,
    clock: Clock,
    resolve: Resolve | None = None,
) -> Answer:
    """Ask once and return the answer, whatever its status says; redirects are answers unless `terms` allows some.

    Nothing is read from the environment, and nothing is decompressed: a body is what came over the line. `resolve`
    stands in for the system's resolver.

    Raises:
        AddressRefused: the URL, or one that it redirects to, may not be reached.
        NotReached: no answer, a broken one, or none in time. It may have been received all the same.
    """
    # HTTP and TLS take longer to load than the rest of Rota, and few processes ask anything of the web.
    from rota.reach.asking import asked, system_resolve

    return asked(method, url, headers=headers, body=body, terms=terms, clock=clock, resolve=resolve or system_resolve)
