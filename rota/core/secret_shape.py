"""What looks like a secret, whoever's it is (R65)."""

import re
from typing import Final

from rota.core.masking import HIDDEN

# Each begins where a word does or holds a bound: tried from every letter of a long word, it would take the square of
# its length.
_URL_PASSWORD: Final = re.compile(r"(?<![\w+.-])(?P<head>[\w+.-]+://[^\s/?#:@]*:)(?P<secret>[^\s/?#]*)(?=@)")
_NAMES: Final = (
    r"passw(?:or)?d|passphrase|pwd|secret|token|credentials?|authorization|cookie"
    r"|(?:api|access|private|account)[_-]?key"
)
_NAMED: Final = re.compile(
    # `password=x`, `"db_password": "x"`, `'api-key': 'x'`; not `password: str`, which is code.
    rf"""(?P<head>(?:{_NAMES})[\w-]{{0,30}}(?:"""
    # In quotes, which a backslash before them does not end.
    r"""(?:\\*["']\s{0,3}[:=]\s{0,3}|=\s?)(?P<quote>\\*["'])|=))(?P<secret>(?(quote)"""
    r""".*?(?<!\\)(?=(?P=quote)|\n|\Z)|(?!(?:None|True|False|null)\b)[^\s,;&"'<>)\]}\\]+))""",
    re.IGNORECASE,
)
_URL_KEY: Final = re.compile(r"""(?P<head>[?&](?:key|sig|signature|auth)=)(?P<secret>[^&\s"'<>\\]+)""", re.IGNORECASE)
_BEARER: Final = re.compile(
    # `basic authentication` is none.
    r"(?P<head>\b(?:bearer|basic(?=\s{1,3}[\w+/-]{0,200}[\d=]))\s{1,3})(?P<secret>[\w.~+/-]{8,}=*)",
    re.IGNORECASE,
)
_HEADER: Final = re.compile(
    r"""(?P<head>\b(?:authorization|cookie)\s{0,3}[:=]\s{0,3})(?P<secret>[^\r\n"'\\]+)""", re.IGNORECASE
)
_JWT: Final = re.compile(r"(?P<head>(?<![\w-]))(?P<secret>eyJ[\w-]{8,}\.[\w-]{8,}\.?[\w-]*)")
_KEY: Final = r"-----{}[A-Z0-9 ]{{0,30}}PRIVATE KEY(?: BLOCK)?-----"
KEY_BEGINS: Final = re.compile(_KEY.format("BEGIN "))
KEY_ENDS: Final = re.compile(_KEY.format("END "))
_KEY_BLOCK: Final = re.compile(
    rf"(?P<head>{_KEY.format('BEGIN ')})(?P<secret>.*?)(?={_KEY.format('END ')}|\Z)", re.DOTALL
)
_KNOWN: Final = re.compile(
    # AWS, GitHub, GitLab, Slack, Stripe; and our own keys.
    r"(?P<head>(?<![A-Za-z0-9]))(?P<secret>(?:(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])"
    r"|(?:gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|[rs]k_live_|rotakey_)[\w-]{16,}))"
)
_CUT_SHAPE: Final = re.compile(
    rf"(?P<head>(?:[\w+.-]://[^\s/?#:@]*:|(?:{_NAMES})[\w-]{{0,30}}=|(?<![\w-])(?=eyJ)))[^\s/?#]*\Z", re.IGNORECASE
)

_SIGNS: Final = (
    (("://",), _URL_PASSWORD),
    (
        (
            *("password", "passwd", "passphrase", "pwd", "secret", "token", "credential", "authorization", "cookie"),
            *(f"{of}{between}key" for of in ("api", "access", "private", "account") for between in ("", "_", "-")),
        ),
        _NAMED,
    ),
    (("key=", "sig=", "signature=", "auth="), _URL_KEY),
    (("bearer", "basic"), _BEARER),
    (("authorization", "cookie"), _HEADER),
    (("eyj",), _JWT),
    (("private key",), _KEY_BLOCK),
    (
        ("akia", "asia", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "k_live_", "rotakey_"),
        _KNOWN,
    ),
)
"""Each shape, and what is in every text that it is in: most lines have none of it, and are told so quickly."""
_ANY_SIGN: Final = tuple(sign for signs, _ in _SIGNS for sign in signs)


def without_shapes(text: str) -> str:
    """Return `text` without what looks like a secret: passwords in URLs, `password=...`, bearer tokens, JWTs, private
    keys, keys of well-known services."""
    if not has_sign(text):
        return text
    lowered = text.lower()
    for signs, shape in _SIGNS:
        if any(sign in lowered for sign in signs):
            text = shape.sub(rf"\g<head>{HIDDEN}", text)
    return text


def has_sign(text: str) -> bool:
    """Return whether something in `text`, or in any part of it, may look like a secret."""
    lowered = text.lower()
    # A loop, as this is asked of every text there is: a generator costs as much again.
    for sign in _ANY_SIGN:  # noqa: SIM110
        if sign in lowered:
            return True
    return False


def cut_secret(text: str) -> int | None:
    """Return where in a text a secret begins that goes on to its end, and may go on behind it; None if none does."""
    begun = _CUT_SHAPE.search(text)
    return None if begun is None else begun.end("head")
