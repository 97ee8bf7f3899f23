"""The tables of the watchdog, of alerts and of metrics; see `tables`."""

from sqlalchemy import BigInteger, Column, Double, Integer, MetaData, Table

from rota.core.rollup import BUCKETS
from rota.stores.sql.making import KEY, ident, index, label, long_text, name, word


def add_freshness(metadata: MetaData, prefix: str) -> None:
    """Add by when schedules must have succeeded for their tenants, when that changed, and what scripts outside of Rota
    told."""
    pairs = Table(
        f"{prefix}pairs",
        metadata,
        Column("schedule", label(), primary_key=True),
        Column("tenant", label(), primary_key=True),
        Column("state", word(), nullable=False),
        Column("last_success", BigInteger),
        Column("late_at", BigInteger),
        Column("stale_at", BigInteger),
        # When the watchdog has to look again: one index read when there is none.
        Column("look_at", BigInteger),
        Column("flipped_at", BigInteger, nullable=False),
        Column("watched_from", BigInteger, nullable=False),
        Column("rule", word(), nullable=False),
        **metadata.info,
    )
    index(pairs, "look", ["look_at", "schedule", "tenant"], where="look_at IS NOT NULL")
    flips = Table(
        f"{prefix}flips",
        metadata,
        Column("id", ident(), primary_key=True),
        Column("schedule", name(), nullable=False),
        Column("tenant", name(), nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("old_state", word(), nullable=False),
        Column("new_state", word(), nullable=False),
        Column("reason", long_text()),
        **metadata.info,
    )
    index(flips, "pair", ["schedule", "tenant", "id"])
    index(flips, "old", ["at"])
    pings = Table(
        f"{prefix}pings",
        metadata,
        Column("id", ident(), primary_key=True),
        Column("name", name(), nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("kind", word(), nullable=False),
        Column("body", long_text()),
        Column("duration", BigInteger),
        **metadata.info,
    )
    index(pings, "name", ["name", "id"])
    index(pings, "old", ["at"])


def add_alerts(metadata: MetaData, prefix: str) -> None:
    """Add what went wrong, what became of it, and who is to be told."""
    Table(
        f"{prefix}signals",
        metadata,
        # Begins with when its run was claimed, so that what is too old is one range.
        Column("id", ident(), primary_key=True),
        Column("body", long_text(), nullable=False),
        **metadata.info,
    )
    incidents = Table(
        f"{prefix}incidents",
        metadata,
        Column("id", ident(), primary_key=True),
        # Empty once it has been closed for long: at most one incident has the same.
        Column("open_key", name(KEY)),
        Column("state", word(), nullable=False),
        Column("job", name(), nullable=False),
        Column("body", long_text(), nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("closed_at", BigInteger),
        Column("look_at", BigInteger),
        **metadata.info,
    )
    index(incidents, "open", ["open_key"], unique=True, where="open_key IS NOT NULL")
    index(incidents, "look", ["look_at", "id"], where="look_at IS NOT NULL")
    index(incidents, "job", ["job", "id"])
    index(incidents, "old", ["closed_at"])
    Table(
        f"{prefix}incident_tenants",
        metadata,
        Column("incident_id", ident(), primary_key=True),
        # Or a schedule, or a loop, where an incident is about those.
        Column("tenant", name(), primary_key=True),
        Column("body", long_text(), nullable=False),
        **metadata.info,
    )
    _add_deliveries(metadata, prefix)


def _add_deliveries(metadata: MetaData, prefix: str) -> None:
    deliveries = Table(
        f"{prefix}deliveries",
        metadata,
        Column("id", ident(), primary_key=True),
        Column("incident_id", ident(), nullable=False),
        Column("channel", name(), nullable=False),
        Column("alert", long_text(), nullable=False),
        Column("state", word(), nullable=False),
        Column("due_at", BigInteger, nullable=False),
        Column("attempt", Integer, nullable=False),
        Column("token", BigInteger, nullable=False),
        Column("error", long_text(), nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("ended_at", BigInteger),
        **metadata.info,
    )
    index(deliveries, "waiting", ["state", "channel", "id"])
    index(deliveries, "channel", ["channel", "id"])
    index(deliveries, "incident", ["incident_id", "id"])
    index(deliveries, "old", ["ended_at"])


def add_rollups(metadata: MetaData, prefix: str) -> None:
    """Add sums of what ran, the jobs' own numbers, and what has been added by whom."""
    rollups = Table(
        f"{prefix}rollups",
        metadata,
        # Made of all that tells one row from another: together they are longer than a key may be.
        Column("id", ident(), primary_key=True),
        Column("subject", word(), nullable=False),
        Column("grain", word(), nullable=False),
        Column("start_at", BigInteger, nullable=False),
        Column("job", name(), nullable=False),
        Column("tenant", name(), nullable=False),
        Column("queue", name(), nullable=False),
        Column("outcome", word(), nullable=False),
        Column("number", BigInteger, nullable=False),
        # Microseconds, as all times.
        Column("duration_sum", BigInteger, nullable=False),
        Column("duration_most", BigInteger, nullable=False),
        Column("wait_sum", BigInteger, nullable=False),
        Column("wait_most", BigInteger, nullable=False),
        # A column each, so that a statement can add to them.
        *(Column(f"bucket_{i}", BigInteger, nullable=False) for i in range(BUCKETS)),
        **metadata.info,
    )
    index(rollups, "start", ["grain", "start_at"])
    index(rollups, "job", ["grain", "job", "start_at"])
    measures = Table(
        f"{prefix}measures",
        metadata,
        Column("id", ident(), primary_key=True),
        Column("grain", word(), nullable=False),
        Column("start_at", BigInteger, nullable=False),
        Column("job", name(), nullable=False),
        Column("tenant", name(), nullable=False),
        Column("name", name(), nullable=False),
        Column("number", BigInteger, nullable=False),
        Column("total", Double, nullable=False),
        Column("least", Double, nullable=False),
        Column("most", Double, nullable=False),
        **metadata.info,
    )
    index(measures, "start", ["grain", "start_at"])
    Table(
        f"{prefix}rollup_sources",
        metadata,
        Column("source", ident(), primary_key=True),
        Column("number", BigInteger, nullable=False),
        Column("seen_at", BigInteger, nullable=False),
        **metadata.info,
    )
