"""Who the tenants are and how their databases are reached.

Importing this loads no SQLAlchemy: a source loads it when it is made, engines are in `rota.tenants.engines`.
"""

from rota.tenants.databases import MySQLDatabases, PostgresDatabases, PostgresSchemas, SQLiteDirectory
from rota.tenants.sources import TenantCallable, TenantList, as_source, listed
from rota.tenants.table import TenantTable

__all__ = [
    "MySQLDatabases",
    "PostgresDatabases",
    "PostgresSchemas",
    "SQLiteDirectory",
    "TenantCallable",
    "TenantList",
    "TenantTable",
    "as_source",
    "listed",
]
