"""What a run of a flow is handed when it begins: the result of the step before, or the summary of its batch (R32).

Read then and not copied when that ended: it has one place, and a step that is tried again after the one before was run
again gets what that one returned last.
"""

from rota.core.codec import encode
from rota.core.flow import MOST_NAMED, named, part_of, summary
from rota.core.gates import flow_batch, flow_of
from rota.core.model import Run, State
from rota.core.part import FOLLOWERS
from rota.errors import BadArguments
from rota.ports import Store
from rota.queries import RunQuery
from rota.signature import Signature


class Handing:
    """Completes the arguments of runs of flows."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def arguments(self, run: Run, signature: Signature) -> str:
        """Return the stored text of all arguments of a run.

        Raises:
            BadArguments: what comes before is not there, or does not fit; names both.
            StoreUnavailable: it could not be asked.
        """
        part = part_of(run)
        if not part.takes or (part.after is None and part.role not in FOLLOWERS):
            return run.args
        what, text = self._before(run)
        try:
            return signature.with_first(run.args, text)
        except BadArguments as error:
            raise BadArguments(f"{what} does not fit {named(run)}: {error}") from None

    def _before(self, run: Run) -> tuple[str, str]:
        part = part_of(run)
        if part.after is None:
            return f"the summary of batch {flow_of(run)}", self._summary(run)
        history = self._store.run(part.after)
        if history is None:
            raise BadArguments(f"{named(run)} takes the result of run {part.after}, which was pruned")
        before = history.run
        if before.state is not State.SUCCEEDED:
            raise BadArguments(
                f"{named(run)} takes the result of {named(before)}, which is {before.state}: rota retry {before.id} "
                "opens both again, in their order"
            )
        return f"the result of {named(before)}", before.result or "null"

    def _summary(self, run: Run) -> str:
        flow = flow_of(run) or ""
        failed = self._store.runs(RunQuery(batch=flow_batch(flow), states=(State.FAILED,), limit=MOST_NAMED))
        counts = self._store.batch_counts(flow_batch(flow))
        ids = [one.id for one in failed]
        return encode(summary(flow, total=part_of(run).of, counts=counts, failed_ids=ids))
