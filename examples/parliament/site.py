"""A site to scrape, on this machine: `python -m examples.parliament.site [hang]`. Slow, and never twice the same."""

import json
import sys
import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOPICS = ("Fisheries", "Budget", "Transport", "Culture")


class Site(ThreadingHTTPServer):
    """Meetings by page; what it should do wrong is set from outside."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Page)
        self.meetings = {
            f"/meetings/{number}": {"date": f"2026-03-{number + 9:02}", "title": f"{TOPICS[number % 4]} committee"}
            for number in range(1, 21)
        }
        self.slowness_s = 0.0
        self.hanging = ""
        """The page that comes byte by byte and never ends."""
        self.is_down = False
        self.closed = threading.Event()

    def server_close(self) -> None:
        """Let go of what hangs, too."""
        self.closed.set()
        super().server_close()


class Page(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Site

    def do_GET(self) -> None:
        """Send a meeting, or the list of them."""
        site = self.server
        site.closed.wait(site.slowness_s)
        found = list(site.meetings) if self.path == "/meetings" else site.meetings.get(self.path)
        status = HTTPStatus.SERVICE_UNAVAILABLE if site.is_down else HTTPStatus.OK if found else HTTPStatus.NOT_FOUND
        self.send_response(status)
        # Whoever asked may have been ended meanwhile.
        with suppress(ConnectionError):
            self.end_headers()
            while self.path == site.hanging and not site.closed.wait(0.1):
                self.wfile.write(b" ")
            self.wfile.write(json.dumps(found).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  http.server calls it so
        """Say nothing."""


if __name__ == "__main__":
    with Site(8001) as served:
        served.slowness_s = 0.2
        served.hanging = "/meetings/7" if "hang" in sys.argv else ""
        served.serve_forever()
