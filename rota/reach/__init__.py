"""Reach a web address that somebody configured, without being led elsewhere by it (T45, T46).

All that Rota itself asks of the web goes through here: webhooks, pings, key sets. A name is resolved once, each address
that it has is judged, and the connection goes to a judged one; how long it may take and how much may come back is
bounded. No proxy is taken from the environment.
"""

from rota.reach.asking import Answer, ask
from rota.reach.terms import Terms
from rota.reach.url import Target, parsed

__all__ = ["Answer", "Target", "Terms", "ask", "parsed"]
