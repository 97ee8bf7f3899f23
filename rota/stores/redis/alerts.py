"""What a store on Redis keeps for alerts."""

from rota.stores.redis.server import Server


class RedisAlerts:
    """What went wrong until it is over, and what is to be told of it. What a verb promises stands in `AlertStore`."""

    def __init__(self, server: Server) -> None:
        self._server = server
