"""How a function is run: in threads, or inline."""
