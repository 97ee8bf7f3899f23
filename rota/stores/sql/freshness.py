"""What a store on SQL keeps for the watchdog."""

from rota.stores.sql.database import Database


class SqlFreshness:
    """By when each schedule must have succeeded for each tenant. What a verb promises stands in `FreshnessStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database
