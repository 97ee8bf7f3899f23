"""Programs beside the library still find in it what they name: nobody else imports them."""

import importlib
import re

import pytest

from tests.house.source import files, shown

OF_OTHERS = re.compile(r"peers/apps|examples/(django|fastapi|flask)_|examples/crashstats/")
MODULES = [
    shown(path).removesuffix(".py").replace("/", ".")
    for path in files(".py")
    # Those of others are written for environments of their own; a main begins when it is imported.
    # The projects of frameworks are set up by those: tests/integrations starts them.
    if shown(path).startswith(("bench/", "examples/")) and not OF_OTHERS.search(shown(path))
    and path.name not in ("__main__.py", "__init__.py")
]  # fmt: skip


@pytest.mark.parametrize("module", MODULES)
def test_a_program_can_be_loaded(module, monkeypatch):
    # A web application mounts its door when it is loaded, and no door is without a key.
    monkeypatch.setenv("ROTA_AUTH__SECRET", "a-secret-of-more-than-thirty-two-bytes-made-for-tests")

    assert importlib.import_module(module)
