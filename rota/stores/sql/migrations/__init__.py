"""The migrations, one file each, numbered, forward only. Each is safe while the version before it works."""
