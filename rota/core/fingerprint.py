"""What makes two failures the same error: the class, what the message says but for its values, and the place (R38)."""

import re
from hashlib import sha256

LINE = ", line "
"""What stands in a place before the number of the line, which the next edit changes."""

LONGEST = 1000
"""Characters of a message that are looked at."""

# In this order. Each is tried only from the beginning of a word, or begins with a mark of its own, so that no message
# takes more than its length.
_PLAIN = (
    (re.compile(r"(?<!\w)'[^'\n]*'|\"[^\"\n]*\"|`[^`\n]*`|“[^”\n]*”|„[^“”\n]*[“”]|«[^»\n]*»"), "<text>"),
    (re.compile(r"(?<![\w+.-])[A-Za-z][\w+.-]*://\S+"), "<url>"),
    (re.compile(r"(?<![\w.+-])[\w.+-]+@[\w.-]+"), "<address>"),
    (re.compile(r"(?<![\w/])(?:/[\w.@+-]+)+/?|(?<!\w)[A-Za-z]:\\\S+"), "<path>"),
    (re.compile(r"(?i)\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "#"),
    # Every word with a digit in it: numbers, hexadecimal ids and addresses, the parts of dates and times.
    (re.compile(r"\w*\d\w*"), "#"),
    # Dates, decimals, versions and IP addresses are one value.
    (re.compile(r"#(?:[-:.,+/T]+#)+"), "#"),
    (re.compile(r"\s+"), " "),
)


def normalised(message: str, *, tenant: str = "") -> str:
    """Return the first line of a message without its values: what two failures by the same cause have in common.

    The name of the tenant, quoted texts, URLs, mail addresses, paths, numbers, ids, dates and network addresses are
    replaced.
    """
    text = next(iter(message[:LONGEST].strip().splitlines()), "")
    if tenant:
        text = re.sub(rf"(?<!\w){re.escape(tenant)}(?!\w)", "<tenant>", text)
    for pattern, written in _PLAIN:
        text = pattern.sub(written, text)
    return text


def fingerprint(kind: str, message: str, place: str, *, tenant: str = "") -> str:
    """Return 16 hexadecimal digits that two failures share by the same error.

    `kind` is the name of the class; of `place` the module and the function count. `tenant` is whom it met: "no schema
    acme" and "no schema globex" are one error of two tenants.
    """
    words = (kind, normalised(message, tenant=tenant), place.partition(LINE)[0])
    return sha256("\n".join(words).encode("utf-8", "backslashreplace")).hexdigest()[:16]
