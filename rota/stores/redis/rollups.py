"""What a store on Redis keeps for metrics."""

from rota.stores.redis.server import Server


class RedisRollups:
    """Sums of what ran. What a verb promises stands in `RollupStore`."""

    def __init__(self, server: Server) -> None:
        self._server = server
