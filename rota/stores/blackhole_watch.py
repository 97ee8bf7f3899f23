"""What a black hole keeps for watchdog, alerts and metrics: nothing. Nothing runs there, so nothing goes wrong."""

# They read none of their arguments; the names are the contract.


class NoFreshness:
    """Expects nothing of anybody."""


class NoAlerts:
    """Knows of no incident and tells nobody."""


class NoRollups:
    """Counts nothing."""
