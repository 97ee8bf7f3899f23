"""What there is of one tenant is found by an index: for who sees no more than that.

Code for schema 5 goes on beside it: nothing that it names has changed.
"""

from rota.stores.sql.migrations.making import index, set_schema

revision = "0006"
down_revision = "0005"

FILL = 45


def upgrade() -> None:
    index(
        "runs",
        "of_tenant",
        ["tenant", "id"],
        where="tenant IS NOT NULL",
        where_postgres="tenant IS NOT NULL AND state <> 'running'",
        fill=FILL,
    )
    set_schema(6)
