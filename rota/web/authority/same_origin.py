"""Whether a request that a browser sent comes from a page of this door (T35)."""

from rota.errors import Forbidden
from rota.web.head import Head


def check_same_origin(head: Head, *, strict: bool) -> None:
    """Refuse what may change something and was sent by a page of somebody else.

    Browsers say so themselves: `Sec-Fetch-Site`, or an `Origin` in older ones. `strict`: what says neither is refused
    as well, because it came with what a browser sends along unasked.

    Raises:
        Forbidden: it is from elsewhere.
    """
    if not head.is_unsafe:
        return
    site, origin = head.headers.get("sec-fetch-site"), head.headers.get("origin")
    if site is not None:
        # "none" is a person who typed an address; nobody types a POST, but tools that play browser say so.
        is_ours = site == "same-origin" or (site == "none" and not strict)
    elif origin is not None:
        is_ours = origin.lower() == head.origin
    else:
        is_ours = not strict
    if not is_ours:
        raise Forbidden("this request was sent by a page of another site")
