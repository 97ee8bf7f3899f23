"""What a store on SQL keeps for alerts."""

from rota.stores.sql.database import Database


class SqlAlerts:
    """What went wrong until it is over, and what is to be told of it. What a verb promises stands in `AlertStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database
