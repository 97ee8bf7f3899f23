"""Passwords as they may be kept."""

import hashlib
import hmac
import secrets


def hashed(password: str, *, salt: str = "") -> str:
    """Return what is kept of a password: the salt, and what cannot be turned back."""
    salt = salt or secrets.token_hex(16)
    return f"{salt}:{hashlib.scrypt(password.encode(), salt=salt.encode(), n=2**14, r=8, p=1).hex()}"


def is_password(password: str, kept: str) -> bool:
    """Return whether it is the one of which this was kept."""
    return hmac.compare_digest(kept, hashed(password, salt=kept.partition(":")[0]))
