"""Decisions about schedules and runs: values in, values out. No I/O, clock, threads or logging."""
