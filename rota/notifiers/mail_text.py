"""The two parts of a mail: plain text, and HTML that looks the same and loads nothing."""

from html import escape

from rota.notifiers.message import Command, Message

_BAD, _GOOD = "#c0262d", "#1a7f4b"
_MONO = "font-family:ui-monospace,Menlo,Consolas,monospace;font-size:13px"


def text_of(message: Message) -> str:
    """Return the part that every mail program shows."""
    blocks = [message.title]
    if message.error:
        blocks.append("\n".join(f"    {one}" for one in (message.error, _place(message)) if one))
    width = max((len(name) for name, _ in message.facts), default=0) + 3
    blocks.append("\n".join(f"{name:{width}}{value}" for name, value in message.facts))
    if message.note:
        blocks.append(f"Note: {message.note}")
    if message.commands:
        longest = max(len(one.text) for one in message.commands)
        lines = [
            f"    {one.text:{longest}}   # {one.meaning}" if one.meaning else f"    {one.text}"
            for one in message.commands
        ]
        blocks.append("\n".join(["What to type:", *lines]))
    if message.url:
        blocks.append(message.url)
    return "\n\n".join([*blocks, f"-- \n{message.footer}"]) + "\n"


def html_of(message: Message) -> str:
    """Return the part for those who like it set: everything in it is escaped, and nothing is loaded from anywhere."""
    colour = _BAD if message.is_bad else _GOOD
    parts = [f'<h1 style="font-size:18px;margin:0 0 12px">{escape(message.title)}</h1>']
    if message.error:
        place = f"<br>{escape(_place(message))}" if message.place else ""
        parts.append(
            f'<p style="{_MONO};background:#80808020;border-radius:4px;padding:8px 12px;word-break:break-word">'
            f"{escape(message.error)}{place}</p>"
        )
    rows = "".join(
        f'<tr><th style="text-align:left;font-weight:normal;opacity:.7;padding:2px 16px 2px 0;vertical-align:top">'
        f"{escape(name)}</th><td>{escape(value)}</td></tr>"
        for name, value in message.facts
    )
    parts.append(f'<table style="border-collapse:collapse">{rows}</table>')
    if message.note:
        parts.append(f"<p>Note: {escape(message.note)}</p>")
    if message.commands:
        lines = "".join(f"<br>{escape(one.text)}{_meaning(one)}" for one in message.commands)
        parts.append(f'<p>What to type:<span style="{_MONO}">{lines}</span></p>')
    if message.url:
        parts.append(f'<p><a href="{escape(message.url)}">{escape(message.url)}</a></p>')
    parts.append(f'<p style="font-size:12px;opacity:.6">{escape(message.footer)}</p>')
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
        "</head>"
        f'<body style="font-family:system-ui,sans-serif;font-size:14px;line-height:1.45;margin:16px">'
        f'<div style="border-left:4px solid {colour};padding-left:16px;max-width:720px">'
        + "\n".join(parts)
        + "</div></body></html>\n"
    )


def _place(message: Message) -> str:
    return f"at {message.place}" if message.place else ""


def _meaning(command: Command) -> str:
    return f' <span style="opacity:.6"># {escape(command.meaning)}</span>' if command.meaning else ""
