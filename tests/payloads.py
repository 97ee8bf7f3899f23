"""What jobs, tenants and users may put into a name, an error or an argument to trick whoever looks at it: one list for
the tests of logs, commands, mails and pages (T31, T33)."""

ESC = "\x1b"

CONTROL = {
    "line break": "acme\r\n2026-01-01 00:00:00 info    rota.run: succeeded run=forged",
    "line feed": "acme\nforged",
    "carriage return": "acme\rforged",
    "vertical tab and form feed": "acme\vforged\fforged",
    "next line": "acme\x85forged",
    "line separator": "acme\u2028forged\u2029forged",
    "clear the screen": f"{ESC}[2J{ESC}[1;1H",
    "colour": f"{ESC}[31mred{ESC}[0m",
    "title of the window": f"{ESC}]0;owned\x07",
    "link": f"{ESC}]8;;https://evil.example/{ESC}\\click{ESC}]8;;{ESC}\\",
    "clipboard": f"{ESC}]52;c;ZXZpbA==\x07",
    "C1 control": "\x9b2J\x9d0;owned\x9c",
    "backspaces": "safe\b\b\b\bevil",
    "NUL": "acme\x00evil",
    "bell": "acme\x07",
    "delete": "acme\x7f",
    "right to left": "acme\u202egpj.exe",
    "isolates": "\u2066acme\u2069\u2067evil\u2068",
    "marks": "acme\u200e\u200f\u061c",
    "zero width": "ac\u200bme\u2060\ufeff",
    "tags": "acme\U000e0041\U000e0042",
    "lone surrogate": "acme\udc80",
}
"""What would forge a line, or move the cursor, or turn text around."""

MARKUP = {
    "script": "<script>alert(1)</script>",
    "image": '"><img src=x onerror=alert(1)>',
    "svg": "<svg/onload=alert(1)>",
    "attribute": "' onmouseover='alert(1)",
    "entity": "&lt;script&gt;alert(1)&lt;/script&gt;",
    "closing": "</title></style></textarea></script><b>",
    "comment": "--><script>alert(1)</script><!--",
    "link": "javascript:alert(1)",
    "markdown": "[click](https://evil.example/) ![x](https://evil.example/x.png)",
    "template": "{{7*7}}${7*7}<%= 7*7 %>#{7*7}",
    "rich": "[bold red]acme[/] [link=https://evil.example/]x[/link]",
}
"""What a page, a mail or a template would take for its own."""

HEADERS = {
    "mail": "acme\r\nBcc: everybody@example.com\r\n\r\nforged body",
    "encoded": "=?utf-8?q?acme=0d=0aBcc:_x@example.com?=",
    "http": "acme\r\nSet-Cookie: sid=evil",
}
"""What would add a header."""

FORMULAS = {
    "equals": '=HYPERLINK("https://evil.example/","click")',
    "plus": "+cmd|' /C calc'!A0",
    "minus": "-2+3+cmd|' /C calc'!A0",
    "at": "@SUM(1+1)*cmd|' /C calc'!A0",
    "tab": "\t=1+1",
}
"""What a spreadsheet would run (T32)."""

PATHS = {"up": "../../etc/passwd", "root": "/etc/passwd", "dots": "..", "nul": "acme\x00.html", "device": "CON"}
"""What a file's name would lead elsewhere by."""

PAYLOADS = {
    f"{kind}: {name}": text
    for kind, texts in (
        ("control", CONTROL),
        ("markup", MARKUP),
        ("headers", HEADERS),
        ("formulas", FORMULAS),
        ("paths", PATHS),
    )
    for name, text in texts.items()
}
"""All of them."""
