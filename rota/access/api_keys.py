"""Keys of machines as text: `rotakey_`, an id that may be seen, and a secret that is shown once."""

import hashlib
import hmac
import re
import secrets

from msgspec import Struct

PREFIX = "rotakey_"
"""What tells a key from a token, and what finds one that was left in a repository."""

_FORM = re.compile(rf"{PREFIX}(?P<id>[0-9a-f]{{16}})_(?P<secret>[A-Za-z0-9_-]{{43}})")


class KeyText(Struct, frozen=True, kw_only=True):
    """The two halves of a key."""

    id: str
    secret: str

    @property
    def digest(self) -> str:
        """Return what is kept of the secret."""
        return hashlib.sha256(self.secret.encode()).hexdigest()

    @property
    def text(self) -> str:
        """Return it as whoever uses it has it."""
        return f"{PREFIX}{self.id}_{self.secret}"

    def fits(self, digest: str) -> bool:
        """Whether this is the secret that a digest was made of; takes as long whatever is wrong (T13)."""
        return hmac.compare_digest(self.digest, digest)

    def __repr__(self) -> str:
        return f"KeyText({self.id})"


def new_key() -> KeyText:
    """Return a key that nobody has: 256 bits of chance."""
    return KeyText(id=secrets.token_hex(8), secret=secrets.token_urlsafe(32))


def key_text(text: str) -> KeyText | None:
    """Return the halves of a key; None if it is none by its form."""
    found = _FORM.fullmatch(text)
    return None if found is None else KeyText(id=found["id"], secret=found["secret"])
