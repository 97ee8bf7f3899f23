"""Status pages: static HTML without script, JSON and badges, for people who are not to ask (R51)."""

from rota.pages.status_pages import StatusPages

__all__ = ["StatusPages"]
