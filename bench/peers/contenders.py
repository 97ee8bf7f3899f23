"""Who is measured: each peer on the stores it knows, as it comes and, where its own guide says how, tuned."""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

Command = list[str]

APPS = Path(__file__).parent / "apps"

PACKAGES: Mapping[str, tuple[str, ...]] = {
    "huey": ("huey", "redis", "psycopg[binary]"),
    "celery": ("celery", "redis", "packaging"),
    "rq": ("rq",),
    "dramatiq": ("dramatiq[redis]",),
    "procrastinate": ("procrastinate",),
    "pgqueuer": ("pgqueuer[asyncpg]",),
}
"""What is installed for each peer, in an environment of its own."""


class Contender(msgspec.Struct, frozen=True, kw_only=True):
    """One peer on one store in one configuration."""

    peer: str
    store: str
    worker: Callable[[Path, int], list[Command]]
    """The commands of so many worker processes; the path is that of the environment's programs."""
    rate: int
    """Jobs a second, roughly: so that every drain takes about as long."""
    tuned: str = ""
    """What was changed; empty as it comes."""

    @property
    def name(self) -> str:
        return f"{self.peer}/{self.store}" + (f" ({self.tuned})" if self.tuned else "")


def _rota(bin_: Path, processes: int) -> list[Command]:
    return [[str(bin_ / "rota"), "--app", "rota_app:rota", "-qq", "start", "--processes", str(processes)]]


def _huey(bin_: Path, processes: int) -> list[Command]:
    kind = ["-k", "process"] if processes > 1 else []
    return [[str(bin_ / "huey_consumer"), "huey_app.huey", "-q", "-w", str(processes), *kind]]


def _celery(bin_: Path, processes: int) -> list[Command]:
    return [[str(bin_ / "celery"), "-A", "celery_app", "worker", "-c", str(processes), "--loglevel", "ERROR"]]


def _celery_quiet(bin_: Path, processes: int) -> list[Command]:
    return [[*_celery(bin_, processes)[0], "--without-gossip", "--without-mingle", "--without-heartbeat"]]


def _rq(bin_: Path, processes: int, *words: str) -> list[Command]:
    return [[str(bin_ / "rq"), "worker", "--quiet", *words]] * processes


def _rq_simple(bin_: Path, processes: int) -> list[Command]:
    return _rq(bin_, processes, "-w", "rq.worker.SimpleWorker")


def _dramatiq(bin_: Path, processes: int) -> list[Command]:
    return [[str(bin_ / "dramatiq"), "dramatiq_app", "--skip-logging", "-p", str(processes)]]


def _procrastinate(bin_: Path, processes: int, *words: str) -> list[Command]:
    program = str(bin_ / "procrastinate")
    return [[program, "--app", "procrastinate_app.app", "worker", *words]] * processes


def _procrastinate_many(bin_: Path, processes: int) -> list[Command]:
    return _procrastinate(bin_, processes, "-c", "30")


def _pgqueuer(bin_: Path, processes: int, batch: int = 10) -> list[Command]:
    # By its own `run()`: the command `pgq run` of 1.6.0 ends with "'str' object has no attribute 'name'".
    return [[str(bin_ / "python"), str(APPS / "pgqueuer_app.py"), "work", str(batch)]] * processes


def _pgqueuer_many(bin_: Path, processes: int) -> list[Command]:
    return _pgqueuer(bin_, processes, 500)


CONTENDERS = (
    Contender(peer="rota", store="postgres", worker=_rota, rate=20_000),
    Contender(peer="pgqueuer", store="postgres", worker=_pgqueuer, rate=4_000),
    Contender(peer="pgqueuer", store="postgres", worker=_pgqueuer_many, rate=15_000, tuned="batches of 500"),
    Contender(peer="procrastinate", store="postgres", worker=_procrastinate, rate=500),
    Contender(peer="procrastinate", store="postgres", worker=_procrastinate_many, rate=500, tuned="30 at once"),
    Contender(peer="huey", store="postgres", worker=_huey, rate=1_000),
    Contender(peer="rota", store="redis", worker=_rota, rate=20_000),
    Contender(peer="huey", store="redis", worker=_huey, rate=3_000),
    Contender(peer="celery", store="redis", worker=_celery, rate=800),
    Contender(peer="celery", store="redis", worker=_celery_quiet, rate=1_500, tuned="prefetch of 128, no results"),
    Contender(peer="rq", store="redis", worker=_rq, rate=60),
    Contender(peer="rq", store="redis", worker=_rq_simple, rate=500, tuned="without a fork per job"),
    Contender(peer="dramatiq", store="redis", worker=_dramatiq, rate=1_200),
    Contender(peer="rota", store="sqlite", worker=_rota, rate=30_000),
    Contender(peer="huey", store="sqlite", worker=_huey, rate=2_000),
)
