"""Which addresses belong to the public internet. Everything else may be inside, and is refused unless it is allowed.

Sources:
    The special-purpose address registries of IANA (RFC 6890) for IPv4 and IPv6. Python's own `is_global` changed from
    one release to the next, so the lists stand here.
"""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network

_INSIDE = tuple(
    (ip_network(network), meaning)
    for network, meaning in (
        ("0.0.0.0/8", "this host"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared by carriers"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "for documentation"),
        ("192.31.196.0/24", "reserved"),
        ("192.52.193.0/24", "reserved"),
        ("192.88.99.0/24", "a 6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("192.175.48.0/24", "reserved"),
        ("198.18.0.0/15", "for benchmarks"),
        ("198.51.100.0/24", "for documentation"),
        ("203.0.113.0/24", "for documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("::/128", "this host"),
        ("::1/128", "loopback"),
        ("::ffff:0:0/96", "an IPv4 address in the form of IPv6"),
        ("64:ff9b::/96", "an IPv4 address behind NAT64"),
        ("64:ff9b:1::/48", "an IPv4 address behind NAT64"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
        ("2001::/32", "a Teredo tunnel"),
        ("2001::/23", "reserved"),
        ("2001:db8::/32", "for documentation"),
        ("2002::/16", "a 6to4 tunnel"),
        ("2620:4f:8000::/48", "reserved"),
        ("3fff::/20", "for documentation"),
    )
)
_GLOBAL_IPV6 = IPv6Network("2000::/3")


def trouble(address: str, *, allowed: Iterable[Network] = ()) -> str | None:
    """Return what an address is that keeps it from being reached, in a word or two; None if it may be.

    `allowed` are networks that may be reached whatever they are; each stands for the form that it is written in.
    """
    try:
        one = ip_address(address)
    except ValueError:
        return "no address"
    if any(one.version == network.version and one in network for network in allowed):
        return None
    for network, meaning in _INSIDE:
        if one.version == network.version and one in network:
            return meaning
    if isinstance(one, IPv6Address) and one not in _GLOBAL_IPV6:
        return "reserved"
    return None


def is_address(host: str) -> bool:
    """Whether a host is an address in the one form that everybody reads alike, and no name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def looks_numeric(host: str) -> bool:
    """Whether a resolver may read this name as an address: `2130706433`, `0x7f.1`, `0177.0.0.1`, `127.1`."""
    last = host.rstrip(".").rpartition(".")[2]
    return last.isdigit() or last[:2] in ("0x", "0X")


def is_loopback(host: str) -> bool:
    """Whether a host is an address of this machine, or the name that always means one; nothing is looked up."""
    return host == "localhost" or (is_address(host) and ip_address(host).is_loopback)
