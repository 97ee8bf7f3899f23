"""Every world that a protocol can come to, and the shortest way to one that must not be."""

from collections import defaultdict, deque

from rota.core.model import FINAL, State
from tests.model.protocol import Doing, Protocol, Row, Step, World, in_short

AT_WORK = (Doing.EXECUTING, Doing.REPEATING)
HOLDING = (*AT_WORK, Doing.SENT)


class Broken(AssertionError):
    """An invariant does not hold; the way there is in the message."""


def explore(protocol: Protocol, *, runs: int = 1) -> int:
    """Look at every world that can be reached, and return how many there are.

    Raises:
        Broken: with the broken invariant and a shortest way to it.
    """
    start = World(rows=(Row(),) * runs)
    came_by: dict[World, tuple[World, str] | None] = {start: None}
    before: defaultdict[World, list[World]] = defaultdict(list)
    to_do = deque([start])
    while to_do:
        world = to_do.popleft()
        for step in protocol.steps(world):
            if wrong := broken(world, step):
                raise Broken(f"{wrong}: {' > '.join([*way_to(world, came_by), step.name])}")
            after = in_short(step.after)
            before[after].append(world)
            if after not in came_by:
                came_by[after] = (world, step.name)
                to_do.append(after)
    stuck = set(came_by) - leading_to([world for world in came_by if is_over(world)], before)
    if stuck:
        first = next(world for world in came_by if world in stuck)
        raise Broken(f"it can never end: {' > '.join(way_to(first, came_by))}")
    return len(came_by)


def broken(world: World, step: Step) -> str | None:
    """Return the invariant that this step breaks."""
    for number, (was, now) in enumerate(zip(world.rows, step.after.rows, strict=True)):
        if was.state in FINAL and now.state is not was.state:
            return "a final run changed"
        claim = step.settled
        if claim is not None and claim.run == number:
            if was.state is not State.RUNNING or claim.token != was.token:
                return "a stale token was recorded"
            if was.live and step.by != was.owner:
                return "a live lease was taken"
        if step.renewed == number and not is_held(world, number):
            return "the lease of a claim that nobody holds was moved"
        is_passed_on = was.state is now.state is State.RUNNING and (was.token, was.owner) != (now.token, now.owner)
        if is_passed_on and was.live and at_work(world, number, was.token):
            return "a live lease was taken"
        if at_work(step.after, number, now.token) > 1:
            return "two workers execute under one token"
    if sum(row.state is State.RUNNING for row in step.after.rows) > 1:
        return "two runs of one key run"
    return None


def is_held(world: World, number: int) -> bool:
    """Whether a worker lives that knows the present claim of this run."""
    token = world.rows[number].token
    return any(
        hand.claim is not None and hand.doing in HOLDING and (hand.claim.run, hand.claim.token) == (number, token)
        for hand in world.hands
    )


def at_work(world: World, number: int, token: int) -> int:
    """Return how many workers execute a run under a token."""
    claims = [hand.claim for hand in world.hands if hand.claim is not None and hand.doing in AT_WORK]
    return sum((claim.run, claim.token) == (number, token) for claim in claims)


def is_over(world: World) -> bool:
    return all(row.state in FINAL for row in world.rows)


def leading_to(ends: list[World], before: defaultdict[World, list[World]]) -> set[World]:
    """Return the worlds from which one of `ends` can still be reached."""
    good, to_do = set(ends), deque(ends)
    while to_do:
        for world in before[to_do.popleft()]:
            if world not in good:
                good.add(world)
                to_do.append(world)
    return good


def way_to(world: World, came_by: dict[World, tuple[World, str] | None]) -> list[str]:
    names = []
    while (come := came_by[world]) is not None:
        world, name = come
        names.append(name)
    return names[::-1]
