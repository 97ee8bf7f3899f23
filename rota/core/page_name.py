"""Names of files that are made of names which people or jobs gave (T48)."""

import re
from hashlib import sha256

MOST = 80

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


def page_name(name: str) -> str:
    """Return the name of a file, without its ending, for something of this name: letters, digits, `_` and `-`.

    Two names never have the same: one that had to be changed, or cut, carries a hash of itself.
    """
    safe = _UNSAFE.sub("_", name)[:MOST].lstrip("-")
    if safe and safe == name:
        return name
    return f"{safe or '_'}-{sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:10]}"
