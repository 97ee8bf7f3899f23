"""What a figure was measured on: without it a figure says nothing."""

import os
import platform
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from rota.version import __version__

CPU_INFO = Path("/proc/cpuinfo")


class Machine(Struct, frozen=True, kw_only=True):
    """The computer, and the programs."""

    cores: int
    """That this process may use."""
    cpu: str
    system: str
    python: str
    rota: str
    load: float
    """Processes that wanted to run in the last minute, before anything was measured."""

    @property
    def is_busy(self) -> bool:
        """Whether others use so much of it that figures come out too low."""
        return self.load > self.cores / 2

    def __str__(self) -> str:
        return f"{self.cores} cores, {self.cpu}, {self.system}, Python {self.python}, Rota {self.rota}"


def this_machine() -> Machine:
    """Return what this process runs on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Machine(
        cores=cores,
        cpu=_cpu(),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        rota=__version__,
        load=round(os.getloadavg()[0], 2),
    )


def _cpu() -> str:
    """Return the model of the processor; its architecture where the system does not say more."""
    facts: Mapping[str, str] = {}
    if CPU_INFO.exists():
        lines = (line.partition(":") for line in CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines())
        facts = {name.strip(): value.strip() for name, _, value in lines}
    return facts.get("model name") or platform.machine()
