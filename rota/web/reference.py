"""The API's own description: the OpenAPI document, and a page that shows it, from files of this package alone."""

from importlib import resources

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from rota.operations.document import document
from rota.operations.table import OPERATIONS
from rota.web.routing import Address

DOCUMENT = "/api/openapi.json"
PAGE = "/api/docs"
ASSETS = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "start.js": "text/javascript",
}
KEPT = {"Cache-Control": "private, max-age=86400"}
# The page's own rule: what it loads comes from here; it sets styles on its elements.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
MARKUP = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Rota: API</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
{banner}<main id="reference">
<noscript>This page needs JavaScript. The document itself: <a href="openapi.json">openapi.json</a></noscript>
</main>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""

AUTH_OFF = """\
<p role="alert" style="margin: 0; padding: 12px 20px; font: bold 16px sans-serif; color: #fff; background: #c0262d">
Authentication is off (DISABLE_AUTH): whoever uses this machine may do everything.
</p>
"""
"""Stands over the page while nobody has to show anything (T9)."""


async def _document(request: Request) -> Response:
    """Answer with the document, as it is where this application is mounted."""
    prefix: str = request.scope.get("root_path", "")
    return Response(msgspec.json.encode(document(OPERATIONS, prefix=prefix)), media_type="application/json")


async def _page(request: Request) -> Response:
    page = MARKUP.format(banner=AUTH_OFF if request.app.state.auth_is_off else "")
    return Response(page, media_type="text/html", headers={"Content-Security-Policy": POLICY})


async def _asset(request: Request) -> Response:
    name = request.url.path.rpartition("/")[2]
    content = resources.files("rota.web").joinpath("vendor", name).read_bytes()
    return Response(content, media_type=ASSETS[name], headers=KEPT)


ADDRESSES = (
    Address("GET", DOCUMENT, _document),
    Address("GET", PAGE, _page),
    *(Address("GET", f"{PAGE}/{name}", _asset) for name in ASSETS),
)
"""The document, the page, and the files that the page is made from."""
