"""Text from jobs, tenants and users, made harmless before it is shown (R65)."""

from unicodedata import category


def safe_text(text: object, *, lines: bool = False) -> str:
    r"""Return `text` on one line, with characters that a terminal or a reader could be tricked by written as `\x1b`.

    With `lines`, line breaks and tabs stay: for tracebacks.
    """
    written = str(text)
    if written.isprintable():
        return written
    kept = "\n\t" if lines else ""
    return "".join(char if char in kept or _is_harmless(char) else _escaped(char) for char in written)


def _is_harmless(char: str) -> bool:
    # Not printable are control characters (ESC, and the C1 set that terminals obey), direction overrides, invisible
    # characters, lone surrogates, and all spaces but one; a narrow space harms nobody.
    return char.isprintable() or category(char) == "Zs"


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")
