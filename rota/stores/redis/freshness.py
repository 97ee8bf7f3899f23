"""What a store on Redis keeps for the watchdog."""

from rota.stores.redis.server import Server


class RedisFreshness:
    """By when each schedule must have succeeded for each tenant. What a verb promises stands in `FreshnessStore`."""

    def __init__(self, server: Server) -> None:
        self._server = server
