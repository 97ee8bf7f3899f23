"""Why something failed, in one line that holds no password."""

from rota.core.safe import safe_text
from rota.redaction import redacted

LONGEST = 400


def reason(error: BaseException) -> str:
    """Return the class and the words of an error on one line, at most `LONGEST` characters of them.

    SQLAlchemy's wrapping and its link to its manual are left out: the driver's own error says it all.
    """
    original = getattr(error, "orig", None) or error
    words = " ".join(str(original).split())
    return redacted(safe_text(f"{type(original).__name__}: {words}"))[:LONGEST]
