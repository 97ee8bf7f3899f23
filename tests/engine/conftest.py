"""The engine's crash points run on every store that the contract runs on."""

from tests.contract.conftest import (  # noqa: F401  # fixtures are found by their names
    begin_anew,
    kind,
    mariadb_emptied,
    postgres_emptied,
    redis_emptied,
)
