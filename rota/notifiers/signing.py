"""Signatures of webhooks: who verifies one knows who sent it, when, and that nothing was changed (T47).

The scheme is that of Standard Webhooks 1.0, so that receivers verify it with a library of theirs: HMAC-SHA256 over
`id.timestamp.body`, the key as `whsec_` and base64.
"""

import hmac
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Mapping, Sequence

PREFIX = "whsec_"
LEAST_KEY = 24
"""Bytes, as Standard Webhooks has it."""


def keys_of(text: str) -> tuple[bytes, ...]:
    """Return the keys in a text: one, or several with spaces between while receivers change from one to the next.

    Raises:
        ValueError: it holds none, or one that is no key or too short to be one; the message does not show it.
    """
    keys = []
    for written in text.split():
        try:
            key = b64decode(written.removeprefix(PREFIX), validate=True) if written.startswith(PREFIX) else b""
        except Error:
            key = b""
        if len(key) < LEAST_KEY:
            raise ValueError(
                f"it must be {PREFIX} and the base64 form of {LEAST_KEY} random bytes or more: "
                f'echo "{PREFIX}$(openssl rand -base64 32)" makes one'
            )
        keys.append(key)
    return tuple(keys)


def signed(keys: Sequence[bytes], *, message_id: str, at: int, body: bytes) -> Mapping[str, str]:
    """Return the headers that prove a body: its id, its time in seconds since 1970, a signature with each key."""
    content = f"{message_id}.{at}.".encode() + body
    signatures = [f"v1,{b64encode(hmac.digest(key, content, 'sha256')).decode()}" for key in keys]
    return {"webhook-id": message_id, "webhook-timestamp": str(at), "webhook-signature": " ".join(signatures)}
