"""On which terms a web address is reached: what is allowed, how long it may take, how much may come back."""

from datetime import timedelta
from ipaddress import ip_network

from msgspec import Struct

from rota.core.size import Size
from rota.reach.address import Network


class Terms(Struct, frozen=True, kw_only=True):
    """What is allowed beyond public addresses by `https` on port 443, and the bounds of an answer.

    Raises:
        ValueError: a network or a port that is none.
    """

    networks: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    """None given: 443, and 80 where plain `http` is allowed."""
    redirects: int = 0
    """How many are followed; each is judged like the first address."""
    ca_file: str = ""
    insecure_http: bool = False
    insecure_certificate: bool = False
    timeout: timedelta = timedelta(seconds=10)
    """Until the head of the answer is here, redirects and all, once the name is resolved."""
    most: Size = Size(64 << 10)
    """Bytes of the head, and again of the body."""

    def __post_init__(self) -> None:
        if not all(0 < port < 65536 for port in self.ports):
            raise ValueError(f"ports: {', '.join(map(str, self.ports))} are not all numbers of ports")
        if self.redirects < 0 or self.redirects > 10:
            raise ValueError(f"redirects: {self.redirects} is not between 0 and 10")
        if self.timeout <= timedelta(0):
            raise ValueError("timeout: it must be more than nothing")
        self.allowed_networks()

    def allowed_networks(self) -> tuple[Network, ...]:
        """Return the networks that may be reached though they are inside."""
        return tuple(ip_network(text) for text in self.networks)

    def allowed_ports(self) -> tuple[int, ...]:
        """Return the ports that may be reached."""
        return self.ports or ((443, 80) if self.insecure_http else (443,))
