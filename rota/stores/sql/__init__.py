"""The store on SQLite, PostgreSQL, MariaDB and MySQL."""
