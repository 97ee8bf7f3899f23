"""The daemon of an Elastic Beanstalk worker: posts what a queue of SQS, or a line of cron.yaml, says.

It has no token to show. So it is believed by where it is: on this machine. It posts to localhost, to the application or
to the proxy of the platform, which says in a header whom it speaks for; whoever comes from elsewhere through that proxy
is named there, and is nobody.
"""

from ipaddress import ip_address

from rota.core.access import Capability, Principal
from rota.web.head import Head

DAEMON = Principal(
    subject="aws-sqsd",
    capabilities=frozenset({Capability.TRIGGER, Capability.MANAGE}),
    jobs=("*",),
    tenants=None,
)
"""`manage`: what a cron.yaml starts is for all tenants. It gets no further than to what `is_daemon` lets it."""

AGENT = "aws-sqsd/"
MESSAGE = "x-aws-sqsd-msgid"
TASK = "x-aws-sqsd-taskname"
"""A line of cron.yaml; its body says nothing."""

PATHS = frozenset({"/api/cron/run", "/api/v1/runs", "/api/v1/runs/bulk"})
JOB = "/scheduler/run/"

SPOKEN_FOR = ("x-forwarded-for", "x-real-ip", "x-client-ip")


def is_daemon(head: Head) -> bool:
    """Whether a request is one of the daemon, to an address that starts something."""
    headers = head.headers
    starts = head.method == "POST" and (head.path in PATHS or head.path.startswith(JOB))
    if not starts or "authorization" in headers or "forwarded" in headers:
        return False
    if not headers.get("user-agent", "").startswith(AGENT) or MESSAGE not in headers:
        return False
    if head.twice & {MESSAGE, TASK, *SPOKEN_FOR}:
        return False
    spoken_for = [address for name in SPOKEN_FOR if name in headers for address in headers[name].split(",")]
    return all(_is_here(address) for address in [head.source, *spoken_for])


def _is_here(address: str) -> bool:
    try:
        return ip_address(address.strip()).is_loopback
    except ValueError:
        return False
