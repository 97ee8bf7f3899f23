"""`rota db`, and what a real store makes of commands."""

import pytest

from rota.app import Rota
from rota.exits import Exit
from rota.settings import Settings, StoreSettings
from rota.settings.values import Migrate
from rota.stores.sql.schema import SCHEMA
from tests.surfaces.conftest import Command, data, run


@pytest.fixture
def careful(tmp_path) -> Command:
    """Run the command on an application that does not migrate its SQLite store by itself."""

    def command(*args: str):
        settings = Settings(store=StoreSettings(migrate=Migrate.CHECK))
        return run(Rota(f"sqlite:///{tmp_path}/rota.db", settings=settings), *args, directory=tmp_path)

    return command


def test_a_store_without_its_schema_is_refused_until_it_is_upgraded(careful):  # R70
    before = careful("runs")
    upgraded = careful("db", "upgrade", "--json")
    after = careful("runs", "--json")

    assert before.exit_code == Exit.REFUSED
    assert before.stderr.endswith("try: rota db upgrade\n")
    assert data(upgraded)["schema"] == str(SCHEMA)
    assert data(after) == []


def test_the_state_of_the_store_can_be_asked_for_before_it_is_there(careful):
    status, check = careful("db", "status", "--json"), careful("db", "check")
    careful("db", "upgrade")

    assert data(status)["schema"] == "missing"
    assert check.exit_code == Exit.REFUSED
    assert careful("db", "check").exit_code == Exit.OK


def test_pruning_says_how_many_runs_went(careful):
    careful("db", "upgrade")

    assert data(careful("db", "prune", "--succeeded", "1d", "--json")) == {"deleted": 0}
    assert "'soon' is no duration" in careful("db", "prune", "--failed", "soon").stderr
