"""Who hears an event, also while others subscribe."""

from rota.core.events import RoundEnded, RunLost
from rota.engine.bus import Bus


def test_whoever_subscribes_while_another_thread_publishes_hears_what_comes_next():
    bus, heard = Bus(), []

    class Meanwhile(type):
        def __subclasscheck__(cls, subclass: type) -> bool:
            # As another thread does it, in the midst of looking for who listens.
            if not heard:
                bus.on(RunLost, heard.append)
                bus.on(RoundEnded, heard.append)
                heard.append("subscribed")
            return False

    class Kind(metaclass=Meanwhile):
        pass

    bus.on(Kind, heard.append)
    assert not bus.wants(RunLost)

    assert bus.wants(RunLost) and bus.wants(RoundEnded)
