"""What is peculiar to MariaDB and its driver."""

from contextlib import closing

import pytest
from pymysql.err import OperationalError

from tests.stores.conftest import opened


def test_the_connections_of_a_process_share_what_they_ask_for_tls_with(mariadb_database: str) -> None:
    # Each held all certificates of the system: 13 MB of an idle worker.
    with closing(opened(mariadb_database)) as store:
        one, other = store._database.detached(), store._database.detached()

        assert one.ctx is other.ctx

        one.close()
        other.close()


def test_what_the_url_says_about_tls_is_not_left_out(mariadb_database: str) -> None:
    url = f"{mariadb_database}?ssl_verify_cert=true"

    with pytest.raises(OperationalError, match="SSL is required"), closing(opened(url)) as store:
        # This server speaks none.
        store.now()
