"""Whom a request comes from."""

from datetime import datetime
from typing import Protocol

from rota.core.access import Principal
from rota.web.head import Head


class Authority(Protocol):
    """Says whom a request comes from."""

    @property
    def is_off(self) -> bool:
        """Whether everybody may do everything."""
        ...

    async def principal(self, head: Head, *, now: datetime) -> Principal:
        """Return who it is.

        Raises:
            Untrusted: nobody that is known. Why is for the log, never for the answer (J19).
            Forbidden: a browser was led to ask this by a page of somebody else (T35).
            StoreUnavailable: it cannot be seen whether it is still to be believed.
        """
        ...
