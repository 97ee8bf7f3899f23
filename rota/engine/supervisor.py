"""The process of `rota start`: keeps worker processes alive, and passes signals on to them.

It opens no store and imports no application, so that nothing of theirs can take it down. One thread, one loop, which
waits for signals, for what its children say, and for the next thing that is due.
"""

import logging
import os
import selectors
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta

from rota.engine.channel import Dead, Ended, Message, Ready
from rota.engine.child import READY_WITHIN_S, Child, Command
from rota.engine.restart import ended_by, failures_after, is_refusal, pause_before
from rota.engine.signals import Signals, has_terminal

log: logging.Logger = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGCHLD)


DUMP_S = 0.25
"""Between the stacks of one worker process and those of the next: each writes its own in many small pieces, and all
write to the same place."""


class Place:
    """A worker process that is wanted: the child that fills it, and the one that is to replace it."""

    def __init__(self, index: int, *, at: float) -> None:
        self.index = index
        self.child: Child | None = None
        self.next: Child | None = None
        self.failures = 0
        self.start_at: float | None = at
        """When a child is to be started; None while there is one."""


class Supervisor:
    """Starts one worker process, and as many as it asks for once it works; then keeps that number.

    The first decides, so that a configuration which cannot work is said once, and a schema is brought up to date by
    one process instead of by all of them at the same time.
    """

    def __init__(
        self,
        command: Command,
        *,
        say: Callable[[str], None],
        monotonic: Callable[[], float],
        keeps: Sequence[int] = (),
    ) -> None:
        """`keeps`: descriptors that each of them has from this process, such as a socket that they all answer at."""
        self._command = command
        self._keeps = keeps
        self._say = say
        self._monotonic = monotonic
        self._places = [Place(0, at=monotonic())]
        self._children: dict[int, Child] = {}
        self._unburied: list[Dead] = []
        self._reloading: list[Place] = []
        self._reload_again = False
        self._had_terminal = has_terminal()
        self._worked = False
        self._draining = False
        self._clean = True
        self._to_dump: list[Child] = []
        self._dump_at = 0.0
        self._code = 0

    def run(self) -> int:
        """Supervise until a signal says to end, and return the exit code."""
        signals = Signals(SIGNALS)
        selector = selectors.DefaultSelector()
        selector.register(signals, selectors.EVENT_READ)
        self._selector = selector
        try:
            while not (self._draining and not self._children):
                self._do_what_is_due()
                selector.select(self._until_next())
                for number in signals.read():
                    self._on_signal(number)
                for child in list(self._children.values()):
                    self._hear(child)
                self._reap()
        finally:
            selector.close()
            signals.close()
        if self._worked:
            # A terminal that is gone takes no more words.
            with suppress(OSError):
                self._say("rota: drained" if self._clean else "rota: stopped; what did not end was given back")
        return self._code

    # --- signals ---

    def _on_signal(self, number: int) -> None:
        match number:
            case signal.SIGTERM | signal.SIGINT if self._draining:
                # The code tells a supervisor above this one that the end was forced.
                self._code = self._code or 128 + number
                for child in self._children.values():
                    child.hurry(at=self._monotonic())
            case signal.SIGHUP if self._had_terminal and not has_terminal():
                log.info("the terminal is gone: draining")
                self._drain()
            case signal.SIGTERM | signal.SIGINT:
                log.info("draining: no new runs; a second signal ends it at once")
                self._drain()
            case signal.SIGHUP:
                self._reload()
            case signal.SIGUSR1:
                self._to_dump = list(self._children.values())
                self._dump_at = self._monotonic()

    def _drain(self) -> None:
        self._draining = True
        self._reloading.clear()
        for place in self._places:
            place.start_at = None
        for child in self._children.values():
            child.ask_to_end(at=self._monotonic())

    def _reload(self) -> None:
        """Replace the children one after the other by new ones, with code and configuration as they are now."""
        if self._draining:
            return
        if self._reloading:
            self._reload_again = True
            return
        log.info("reloading")
        self._reload_again = False
        self._reloading = list(self._places)
        self._replace_next()

    def _replace_next(self) -> None:
        while self._reloading:
            place = self._reloading[0]
            # One that waits to be started will be new anyway.
            if place.child is not None and (replacement := self._start(place)) is not None:
                place.next = replacement
                return
            self._reloading.pop(0)
        if self._reload_again:
            self._reload()

    # --- children ---

    def _start(self, place: Place) -> Child | None:
        at = self._monotonic()
        try:
            child = Child(self._command, place=place.index, at=at, keeps=self._keeps)
        except OSError as error:
            log.error("worker process %d cannot be started: %s", place.index, error)
            return None
        self._children[child.pid] = child
        self._selector.register(child.channel, selectors.EVENT_READ)
        return child

    def _fill(self, place: Place) -> None:
        place.child = self._start(place)
        place.start_at = None
        if place.child is None:
            place.failures += 1
            place.start_at = self._monotonic() + pause_before(place.failures, code=0).total_seconds()

    def _hear(self, child: Child) -> None:
        for message in child.receive():
            self._on_message(child, message)
        if child.channel.is_over and child.channel.fileno() in self._selector.get_map():
            self._selector.unregister(child.channel)

    def _on_message(self, child: Child, message: Message) -> None:
        match message:
            case Ready():
                child.ready = message
                self._on_ready(child, message)
            case Ended(clean=clean):
                child.ended_clean = clean
                self._clean = self._clean and (clean or not self._draining)
            case _:
                log.warning("worker process %d says what only a supervisor may", child.place)

    def _on_ready(self, child: Child, ready: Ready) -> None:
        place = self._places[child.place]
        log.info("worker process %d works (pid %d)", place.index, child.pid, extra={"worker": ready.worker})
        self._bury()
        # A signal may have come while it started; then it is about to end, and no other is started.
        if not self._worked and not self._draining:
            self._grow(ready)
        self._worked = True
        if place.next is child:
            old, place.child, place.next, place.failures = place.child, child, None, 0
            if old is not None:
                old.ask_to_end(at=self._monotonic())
            self._go_on_reloading(place)

    def _grow(self, ready: Ready) -> None:
        wanted = 1 if ready.is_alone else ready.processes
        self._places += [Place(index, at=self._monotonic()) for index in range(1, wanted)]
        processes = f"{wanted} processes" if wanted > 1 else "1 process"
        if ready.is_alone and ready.processes != 1:
            processes += ", since a memory store is seen by one only"
        queues = ", ".join(ready.queues) if ready.queues else "all queues"
        self._say(f"rota: {ready.jobs} jobs, {queues}, {processes}; Ctrl-C drains")

    def _go_on_reloading(self, place: Place) -> None:
        if self._reloading and self._reloading[0] is place:
            self._reloading.pop(0)
            self._replace_next()

    def _reap(self) -> None:
        """Take the exit codes of all that has ended: as process 1 of a container also of processes unknown here."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self._children.pop(pid, None)
            if child is not None:
                self._hear(child)
                if child.channel.fileno() in self._selector.get_map():
                    self._selector.unregister(child.channel)
                code = os.waitstatus_to_exitcode(status)
                child.has_ended(code)
                self._on_end(child, code)

    def _on_end(self, child: Child, code: int) -> None:
        place = self._places[child.place]
        if child.ended_clean is None:
            self._clean = self._clean and not self._draining
            if child.ready is not None:
                self._unburied.append(Dead(worker=child.ready.worker, reason=ended_by(code)))
                self._bury()
        if self._draining:
            return
        if is_refusal(code, worked=self._worked):
            # It has said why itself.
            self._code = code
            self._drain()
        elif place.next is child:
            log.error(
                "the new worker process %d %s; the old one goes on, the reload is over", place.index, ended_by(code)
            )
            place.next = None
            self._reloading.clear()
        elif place.child is child:
            self._after_end(place, child, code)

    def _after_end(self, place: Place, child: Child, code: int) -> None:
        place.child = None
        if place.next is not None:
            # Its replacement is on its way already.
            place.child, place.next = place.next, None
            self._go_on_reloading(place)
            return
        lived = timedelta(seconds=self._monotonic() - child.started_at)
        place.failures = failures_after(place.failures, lived=lived)
        pause = pause_before(place.failures, code=code)
        place.start_at = self._monotonic() + pause.total_seconds()
        level = logging.INFO if code == 0 else logging.ERROR
        log.log(level, "worker process %d %s; again in %.1f s", place.index, ended_by(code), pause.total_seconds())

    def _bury(self) -> None:
        """Tell one that lives whose runs are free: at once, instead of when it next looks for dead neighbours."""
        told = next((child for child in self._children.values() if child.can_bury), None)
        if told is not None:
            self._unburied = [dead for dead in self._unburied if not told.bury(dead)]

    # --- time ---

    def _do_what_is_due(self) -> None:
        at = self._monotonic()
        for place in self._places:
            if place.start_at is not None and at >= place.start_at:
                self._fill(place)
            if place.next is not None and at >= place.next.started_at + READY_WITHIN_S:
                log.error("the new worker process %d does not work after %d s", place.index, READY_WITHIN_S)
                place.next.signal(signal.SIGKILL)
        if self._to_dump and at >= self._dump_at:
            child = self._to_dump.pop(0)
            log.info("the stacks of worker process %d (pid %d) follow", child.place, child.pid)
            child.signal(signal.SIGUSR1)
            self._dump_at = at + DUMP_S
        for child in self._children.values():
            if child.kill_at is not None and at >= child.kill_at:
                log.error("worker process %d does not end; killed", child.place)
                child.kill_at = at + READY_WITHIN_S
                child.signal(signal.SIGKILL)

    def _until_next(self) -> float | None:
        """Return the seconds until something is due, or None."""
        due = [place.start_at for place in self._places if place.start_at is not None]
        due += [place.next.started_at + READY_WITHIN_S for place in self._places if place.next is not None]
        due += [self._dump_at] if self._to_dump else []
        due += [child.kill_at for child in self._children.values() if child.kill_at is not None]
        return max(min(due) - self._monotonic(), 0.0) if due else None
