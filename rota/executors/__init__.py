"""How a function is run: in threads, on an event loop, in child processes, by a fleet, or inline."""
