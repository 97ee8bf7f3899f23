"""`rota bench`: how fast it is here."""

import click
from msgspec import Struct

from rota.cli.command import RotaCommand
from rota.cli.session import Session, pass_session
from rota.clock import SystemClock
from rota.core.safe import safe_text
from rota.exits import Exit
from rota.measuring.ground import Ground, ground
from rota.measuring.machine import Machine, this_machine
from rota.measuring.measures import Figure, Wanted, figures
from rota.redaction import redacted


class BenchReport(Struct, frozen=True, kw_only=True):
    """What was measured, and on what."""

    machine: Machine
    store: dict[str, str]
    figures: list[Figure]


@click.command(
    cls=RotaCommand,
    exits={
        Exit.UNREACHABLE: "the store cannot be reached",
        Exit.INTERRUPTED: "Ctrl-C; the tables are gone all the same",
        Exit.TERMINATED: "SIGTERM; the tables are gone all the same",
    },
)
@click.option("--store", "url", metavar="URL", help="Measure this store. Default: a SQLite file that is made for it.")
@click.option("--jobs", type=click.IntRange(min=2_000), default=50_000, show_default=True, help="Runs to drain.")
@click.option("--processes", type=click.IntRange(min=1), default=2, show_default=True, help="Worker processes.")
@click.option("--concurrency", type=click.IntRange(min=1), help="Runs at once per process. Default: as `rota start`.")
@click.option("--tenants", type=click.IntRange(min=0), default=1_000, show_default=True, help="Tenants; 0: none.")
@pass_session
def bench(
    session: Session, *, url: str | None, jobs: int, processes: int, concurrency: int | None, tenants: int
) -> None:
    """Measure how fast Rota is on this machine and store.

    Enqueues, drains with worker processes of its own, measures how soon an idle worker picks a run up, and fans a round
    out over tenants. The jobs do nothing. It needs no application, and works on tables of its own, which are gone
    afterwards: the store's own are neither read nor written. It does put load on the server.
    """
    session.check_is_here()
    machine = this_machine()
    wanted = Wanted(jobs=jobs, processes=processes, tenants=tenants, places=concurrency)
    if machine.is_busy:
        session.out.warn(f"others use this machine (load {machine.load}): the figures are lower than it can do")
    with ground(url) as made:
        session.out.say(f"measuring on {safe_text(redacted(made.url))}, tables {made.prefix}*: half a minute or so")
        report = _measured(session, made, wanted, machine)
    lines = [f"machine   {machine}", *(f"{name:<9} {value}" for name, value in report.store.items())]
    lines += [f"{figure.name:<28} {figure}" for figure in report.figures]
    session.out.one("rota.bench/1", report, [safe_text(line) for line in lines])


def _measured(session: Session, made: Ground, wanted: Wanted, machine: Machine) -> BenchReport:
    store = made.open()
    try:
        facts = {name: redacted(value) for name, value in store.facts().items() if name != "schema"}
    finally:
        store.close()
    done = []
    for figure in figures(made, wanted, clock=SystemClock()):
        session.out.say(f"  {figure.name}: {figure}")
        done.append(figure)
    return BenchReport(machine=machine, store=facts, figures=done)
