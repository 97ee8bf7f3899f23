"""Who carries out runs besides the processes of Rota itself."""

from rota.calls import Fleet
from rota.errors import ConfigurationError
from rota.job import Registry
from rota.shape import is_fleet


class Fleets:
    """The fleets of an application, by the executor that its jobs name."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.joined: dict[str, Fleet] = {}

    def use(self, name: str, fleet: Fleet, *, by_default: bool = False) -> None:
        """Have the runs of jobs with `executor=name` carried out by a fleet; with `by_default` also those of jobs that
        do not say where, but for coroutines. What an integration calls.

        Raises:
            ConfigurationError: it is no name of a fleet, or is taken.
        """
        if not is_fleet(name):
            raise ConfigurationError(f"executor {name!r}: a fleet is called 'celery', or 'celery:NAME' of several")
        if name in self.joined:
            raise ConfigurationError(f"executor {name!r} is joined already: call a second one 'celery:NAME'")
        self.joined[name] = fleet
        if by_default:
            self._registry.set_executor(name)
