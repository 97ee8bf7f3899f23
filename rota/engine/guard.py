"""What keeps trouble with a tenant's database to that tenant."""

from msgspec import Struct

from rota.engine.circuits import Circuits, Prober
from rota.engine.hosts import Hosts


class Guard(Struct, frozen=True, kw_only=True):
    """The parts of it in one process."""

    circuits: Circuits
    prober: Prober
    hosts: Hosts | None = None
    """None where any number of runs may use the databases of one host."""
