"""Rota within other systems: each has a module that is imported by whoever uses it, and needs its extra."""
