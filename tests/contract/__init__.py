"""What every store must do. Each test runs on memory, SQLite, PostgreSQL and MariaDB."""
