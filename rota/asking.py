"""Doing once what is asked under an idempotency key: making its runs, or finding those that were made before."""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from rota.core.controls import AuditEntry
from rota.core.keyed import Keyed, standing, wanted
from rota.core.model import Round, Run
from rota.errors import KeyReused, NotUnique
from rota.ports import Store


def make_once(
    store: Store,
    runs: Sequence[Run],
    keyed: Keyed,
    *,
    now: datetime,
    new: Sequence[Round] = (),
    audit: AuditEntry | None = None,
) -> list[str]:
    """Accept runs, and the rounds that they are of, and return their ids; or those that an earlier call under the key
    made, if it asked the same.

    Raises:
        KeyReused: it asked something else. Nothing was written.
    """
    asked = wanted(runs, keyed, now=now)
    try:
        return store.enqueue_unique(asked, now=now, new=new, audit=audit)
    except NotUnique as taken:
        if taken.run_id is None or not keyed.is_on(taken.run_id):
            raise KeyReused(keyed.key) from None
    # Should that one be gone by now, what is asked here is made after all, and whole.
    return store.enqueue_unique(standing(asked), now=now, new=new, audit=audit)


def round_once(
    store: Store, round_: Round, run: Run, keyed: Keyed, *, now: datetime, audit: AuditEntry | None = None
) -> Round:
    """Start a round of one run, and return it; or the one that an earlier call under the key started.

    Raises:
        KeyReused: it asked something else. Nothing was written.
    """
    [run_id] = make_once(store, [run], keyed, now=now, new=[round_], audit=audit)
    history = None if run_id == keyed.stamped(run.id) else store.run(run_id)
    return round_ if history is None else replace(round_, id=history.run.round_id, created_at=history.run.created_at)
