"""Rota beside Huey, Celery, RQ, Dramatiq, Procrastinate and PGQueuer: `python -m bench.peers [--quick]`.

Each measure is taken of all contenders in turn before the next, round after round. See docs/operate/benchmark.md.
"""

import argparse
import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
from redis import Redis

from bench.peers.bout import Bout, NoFigure, PickUp, Survival
from bench.peers.contenders import CONTENDERS, Contender
from bench.peers.environments import programs, versions
from bench.peers.table import table
from rota.measuring.machine import Machine, this_machine
from tests import servers


class Plan(msgspec.Struct, frozen=True):
    """How much is measured."""

    rounds: int
    drain_s: float
    """What a drain should take, roughly."""
    singles: int
    arrivals: int
    survive_s: float


FULL = Plan(rounds=2, drain_s=1.2, singles=300, arrivals=60, survive_s=60)
QUICK = Plan(rounds=1, drain_s=0.8, singles=100, arrivals=40, survive_s=35)


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one contender: medians over the rounds; None where it came to none."""

    contender: str
    drain_1: float | None = None
    drain_2: float | None = None
    enqueue: float | None = None
    pick_up: PickUp | None = None
    survival: Survival | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All figures of one run, and on what they were measured."""

    machine: Machine
    versions: dict[str, str]
    plan: Plan
    scores: list[Score]
    failures: list[str]


class Arena:
    """The servers of this run, with an empty place for every bout."""

    def __init__(self, held: ExitStack, stores: set[str], folder: Path) -> None:
        self._servers: dict[str, Any] = {
            kind: held.enter_context(getattr(servers, kind)()) for kind in sorted(stores - {"sqlite"})
        }
        self._folder = folder
        self._places = iter(range(1, 1_000_000))
        self._one_at_a_time = threading.Lock()

    @contextmanager
    def bout(self, contender: Contender, *, database: int = 0) -> Iterator[Bout]:
        """Yield a contender on an empty store; `database` is that of Redis, for those who are there at once."""
        with self._one_at_a_time:
            folder = self._folder / str(next(self._places))
        folder.mkdir()
        with ExitStack() as held:
            match contender.store:
                case "sqlite":
                    url = f"sqlite:///{folder / 'bench.db'}"
                case "redis":
                    url = self._servers["redis"].url(str(database))
                    with Redis.from_url(url) as client:
                        client.flushdb()
                case _:
                    url = held.enter_context(self._servers[contender.store].database())
                    if contender.peer != "rota":
                        url = url.replace("postgresql+psycopg://", "postgresql://")
            bout = Bout(contender, url, folder)
            bout.tell("set-up")
            yield bout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="as they come, and less of it: under three minutes")
    parser.add_argument("--only", metavar="PEER,…", help="only these peers")
    parser.add_argument("--store", metavar="STORE,…", help="only these stores: postgres, redis, sqlite")
    parser.add_argument("--rounds", type=int, help="how often everything is measured; 0: only the kill")
    parser.add_argument("--output", type=Path, default=Path("bench/results/peers.json"), help="where the JSON goes")
    options = parser.parse_args()
    chosen = [
        one
        for one in CONTENDERS
        if (not options.only or one.peer in options.only.split(","))
        and (not options.store or one.store in options.store.split(","))
        and not (options.quick and one.tuned)
    ]
    plan = QUICK if options.quick else FULL
    plan = msgspec.structs.replace(plan, rounds=plan.rounds if options.rounds is None else options.rounds)
    machine = this_machine()
    for peer in {one.peer for one in chosen}:
        programs(peer)
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="rota-peers-")))
        report = measured(chosen, plan, Arena(held, {one.store for one in chosen}, folder), machine)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    print(table(report))


def measured(chosen: Sequence[Contender], plan: Plan, arena: Arena, machine: Machine) -> Report:
    """Return the figures of all, each measure of each contender in turn."""
    found: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    failures: list[str] = []

    def take(name: str, one: Contender, measure: Callable[[Bout], object], *, database: int = 0) -> None:
        try:
            with arena.bout(one, database=database) as bout:
                figure = measure(bout)
        except NoFigure as error:
            failures.append(str(error))
            print(f"  {one.name}: {name}: no figure", file=sys.stderr, flush=True)
            return
        found[one.name][name].append(figure)
        print(f"  {one.name}: {name}: {figure}", file=sys.stderr, flush=True)

    for number in range(plan.rounds):
        print(f"round {number + 1} of {plan.rounds}", file=sys.stderr, flush=True)
        for one in chosen:
            take("drain_1", one, lambda bout: bout.drain(1, plan.drain_s))
        for one in chosen:
            take("drain_2", one, lambda bout: bout.drain(2, plan.drain_s * 1.5))
        for one in chosen:
            take("enqueue", one, lambda bout: bout.enqueue(plan.singles))
        for one in chosen:
            take("pick_up", one, lambda bout: bout.pick_up(plan.arrivals))
    print("killing the workers of all, at the same time: they mostly wait", file=sys.stderr, flush=True)
    survivors = [
        threading.Thread(
            target=take,
            args=("survival", one, lambda bout: bout.survive(plan.survive_s)),
            kwargs={"database": number + 1},
        )
        for number, one in enumerate(chosen)
    ]
    for survivor in survivors:
        survivor.start()
    for survivor in survivors:
        survivor.join()
    scores = [score(one.name, found[one.name]) for one in chosen]
    peers = dict.fromkeys(one.peer for one in chosen)
    return Report(machine=machine, versions=versions(peers), plan=plan, scores=scores, failures=failures)


def score(name: str, found: dict[str, list[Any]]) -> Score:
    """Return the medians of what was measured of one contender."""
    middle = {key: median(found[key]) for key in ("drain_1", "drain_2", "enqueue") if found[key]}
    arrivals = found["pick_up"]
    pick_up = None
    if arrivals:
        pick_up = PickUp(p50=median(one.p50 for one in arrivals), p99=median(one.p99 for one in arrivals))
    survival = found["survival"][0] if found["survival"] else None
    return Score(contender=name, pick_up=pick_up, survival=survival, **middle)


if __name__ == "__main__":
    main()
