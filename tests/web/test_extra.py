"""The HTTP door without what it needs."""

import sys
from importlib import import_module

import pytest

from rota.errors import MissingExtra


@pytest.mark.parametrize("missing", ["a2wsgi", "starlette.applications"])
def test_without_the_extra_its_install_line_is_said(missing, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    for module in ("rota.web", "rota.web.app", "rota.web.wsgi"):
        monkeypatch.delitem(sys.modules, module, raising=False)

    with pytest.raises(MissingExtra, match=r"pip install 'rota\[web\]'"):
        import_module("rota.web")
