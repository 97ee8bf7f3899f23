"""Finding runs that stand in no set: somebody deleted or edited what the store looks runs up by (C18).

The truth is the run itself. Each look compares how many runs are counted in a state with how many stand in its sets,
which is a few commands; only where that differs are the open runs gone through, a thousand in a call.
"""

from typing import Any

import msgspec

from rota.stores.redis.server import Server

PAGE = 1000

_look = msgspec.msgpack.Decoder(tuple[bool, list[int]])


class Sweep:
    """One store's watch over its sets."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._mended: list[int] | None = None
        """What was counted when all had been mended that could be: no reason to begin again."""

    def tick(self) -> int:
        """Mend what is missing; return how many runs were."""
        is_whole, counted = self._look()
        if is_whole or counted == self._mended:
            return 0
        mended, cursor = 0, "0"
        while True:
            cursor, number = self._part(cursor)
            mended += number
            if cursor == "0":
                break
        self._mended = self._look()[1]
        return mended

    def _look(self) -> tuple[bool, list[int]]:
        return _look.decode(self._server.call("look"))

    def _part(self, cursor: str) -> tuple[str, int]:
        answer: Any = msgspec.msgpack.decode(self._server.call("sweep", {"cursor": cursor, "count": PAGE}))
        return str(answer[0]), int(answer[1])
