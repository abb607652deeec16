"""Posts triggers to receivers that are HTTP endpoints.

A post is tried once for each time that the trigger is sent: the phase's document alone counts the tries, waits between
them, and gives up. What was superseded or acknowledged in the meantime is not posted.
"""

from collections.abc import Mapping
from typing import Literal

from phasegate.base.keys import parse_run
from phasegate.channel import PostReceiver, Reply
from phasegate.gate.gatekeeper import Gatekeeper
from phasegate.gate.outbox import awaited
from phasegate.messages import TriggerMessage
from phasegate.ports import Ports
from phasegate.store import Body

NO_ENDPOINT = Reply(error="this process was given no address for it")


class Poster:
    """The endpoints of a plan's receivers, by name."""

    def __init__(self, ports: Ports, *, gatekeeper: Gatekeeper) -> None:
        self._ports, self._gatekeeper = ports, gatekeeper
        self._endpoints: Mapping[str, PostReceiver] = {}

    def reach(self, endpoints: Mapping[str, PostReceiver]) -> None:
        """Use these endpoints from now on."""
        self._endpoints = endpoints

    def post(self, trigger: TriggerMessage, body: Body) -> Literal["posted", "not posted", "not awaited"]:
        """Post a trigger, then acknowledge it; return the outcome.

        ``body``: the message as it came. The outcome is ``posted``, ``not posted``, or ``not awaited``.
        """
        run = parse_run(trigger.run)
        phase = self._gatekeeper.read(trigger.phase, run)
        firing = None if phase is None else awaited(phase, trigger.generation, receiver=trigger.receiver)
        if firing is None or (firing.stamps and firing.stamps != trigger.stamps):
            return "not awaited"
        endpoint = self._endpoints.get(trigger.receiver)
        reply = NO_ENDPOINT if endpoint is None else endpoint.post(body, fired_at=firing.at)
        if reply.error:
            self._ports.observer.event("trigger not posted", receiver=trigger.receiver, error=reply.error)
            return "not posted"
        self._gatekeeper.acknowledge(
            trigger.phase, run, generation=trigger.generation, receiver=trigger.receiver, ack="post"
        )
        return "posted"
