"""What a store on SQL keeps for metrics."""

from rota.stores.sql.database import Database


class SqlRollups:
    """Sums of what ran. What a verb promises stands in `RollupStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database
