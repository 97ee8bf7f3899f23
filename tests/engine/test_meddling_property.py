"""Whatever a family of runs does to one another, each comes to the end that follows from what it did itself (F20)."""

import threading
from contextlib import suppress
from enum import StrEnum

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rota import Rota, RunContext, State, every
from rota.errors import ScheduleNotFound, Stopped
from tests.engine.test_meddling import LONG, ONCE, working

__all__ = ["working"]

KIDS = 3


class Deed(StrEnum):
    """What a run does before it ends."""

    ITSELF = "cancels itself"
    SIBLINGS = "cancels its siblings"
    PARENT = "cancels its parent"
    CHILDREN = "cancels its children"
    SCHEDULE = "deletes its schedule"
    AGAIN = "asks for another attempt of itself"


CANCELS = {Deed.ITSELF, Deed.SIBLINGS, Deed.PARENT, Deed.CHILDREN}


class End(StrEnum):
    """How its function ends."""

    RETURNS = "returns"
    RAISES = "raises"
    OBEYS = "goes on until it is asked to stop, if it cancelled itself"


stories = st.tuples(st.lists(st.sampled_from(Deed), max_size=3), st.sampled_from(End))


class Family:
    """A parent and its children, their stories, and what their functions came to."""

    def __init__(self, app: Rota, told: list[tuple[list[Deed], End]]) -> None:
        self.app = app
        self.told = told
        self.ids: dict[int, str] = {}
        self.ended: dict[int, str] = {}
        self.is_complete = threading.Event()

    def live(self, ctx: RunContext, who: int) -> int:
        deeds, end = self.told[who]
        # Nobody does anything before everybody has been born: a parent that ends early is one of the cases.
        self.is_complete.wait(LONG.total_seconds())
        try:
            for deed in deeds:
                self.do(deed, ctx, who)
            if end is End.OBEYS and Deed.ITSELF in deeds:
                ctx.sleep(LONG)
            if end is End.RAISES:
                raise ValueError("no good")
        except Stopped:
            self.ended[who] = "stopped"
            raise
        except ValueError:
            self.ended[who] = "raised"
            raise
        self.ended[who] = "returned"
        return who

    def do(self, deed: Deed, ctx: RunContext, who: int) -> None:
        siblings = [self.ids[kid] for kid in range(1, KIDS + 1) if kid != who]
        match deed:
            case Deed.ITSELF:
                self.app.cancel([ctx.run_id])
            case Deed.SIBLINGS:
                self.app.cancel(siblings)
            case Deed.PARENT:
                self.app.cancel([self.ids[0]])
            case Deed.CHILDREN:
                self.app.cancel([child.id for child in self.app.run(ctx.run_id).children])
            case Deed.AGAIN:
                # It has not ended: there is nothing to open again.
                assert self.app.retry([ctx.run_id]) == []
            case Deed.SCHEDULE:
                with suppress(ScheduleNotFound):
                    self.app.schedules.delete("branch")


def test_a_family_that_meddles_with_itself_comes_to_its_ends(working: Rota) -> None:  # F20
    families: list[Family] = []

    @working.job(retry=ONCE)
    def kid(ctx: RunContext, who: int) -> int:
        return families[-1].live(ctx, who)

    @working.job(retry=ONCE)
    def parent(ctx: RunContext) -> int:
        family = families[-1]
        family.ids[0] = ctx.run_id
        family.ids |= {who: kid.enqueue(who).id for who in range(1, KIDS + 1)}
        family.is_complete.set()
        return family.live(ctx, 0)

    @settings(max_examples=12, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(stories, min_size=KIDS + 1, max_size=KIDS + 1))
    def all_come_to_their_ends(told: list[tuple[list[Deed], End]]) -> None:
        working.schedules.put("branch", job="parent", when=every().day.at("03:00"))
        family = Family(working, told)
        families.append(family)
        parent.enqueue().wait(LONG)
        runs = {who: working.run(run_id).wait(LONG) for who, run_id in family.ids.items()}

        for who, run in runs.items():
            assert run.state in possible(family, who), (who, told, run)
        deleted = any(Deed.SCHEDULE in told[who][0] for who in family.ended)
        assert (working.store.schedule("branch") is None) is deleted

    working.start_background()
    all_come_to_their_ends()


def possible(family: Family, who: int) -> set[State]:
    """Return in what states a run may end, by what its own function came to."""
    match family.ended.get(who):
        case None | "stopped":
            return {State.CANCELLED}
        case "returned":
            return {State.SUCCEEDED}
        case _ if any(CANCELS.intersection(family.told[doer][0]) for doer in family.ended):
            # Whether the word reached its worker before its end is a race, and both ends are right.
            return {State.FAILED, State.CANCELLED}
        case _:
            return {State.FAILED}
