"""Put into pages what `rota generate` prints: below each line that shows it stands what it says.

The example is an application `app:rota` in /srv/app, with the defaults of all settings.
"""

import re
import shlex
from datetime import timedelta
from pathlib import Path

from rota.hosts import Site, files_for, site_of
from rota.settings import Settings

DOCS = Path(__file__).parents[1] / "docs"
PAGES = (DOCS / "operate" / "hosts.md", DOCS / "operate" / "deployment.md", DOCS / "guide" / "http.md")
SHOWN = re.compile(r"(```\n\$ rota ([^\n]*generate [^\n]*)\n```\n\n```\w+\n)(.*?)(^```\n)", re.DOTALL | re.MULTILINE)


def example(*, url: str = "", image: str = "app:1") -> Site:
    """Return the application of the pages."""
    return site_of(
        Settings(),
        name="rota",
        environment={"ROTA_APP": "app:rota"},
        directory="/srv/app",
        user="app",
        command=("/srv/app/venv/bin/rota",),
        image_command=("rota",),
        image=image,
        url=url,
        store_url="postgresql+psycopg://db/rota",
        timeouts=[timedelta(minutes=15)],
        python="3.11",
    )


def filled(page: str) -> str:
    """Return a page with what the lines in it print now."""
    return SHOWN.sub(lambda found: found.group(1) + _printed(found.group(2)) + found.group(4), page)


def _printed(line: str) -> str:
    words = shlex.split(line)
    flags = {words.pop(at)[2:]: words.pop(at) for at in range(len(words) - 1, -1, -1) if words[at].startswith("--")}
    _, host, *names = words
    files = {file.name: file.text for file in files_for(host, example(**flags))}
    [text] = [files[name] for name in names] or files.values()
    return text
