"""The alert rules of a plan: its channels, and when they are notified.

They hold no secret: addresses and tokens come from the environment. Pure.
"""

from typing import Literal

import msgspec

from phasegate.base.findings import SEVERITIES, Severity

ChannelKind = Literal["slack", "webhook", "cloudevents", "apprise"]
KINDS: tuple[ChannelKind, ...] = ("slack", "webhook", "cloudevents", "apprise")


class ChannelRule(msgspec.Struct, frozen=True, kw_only=True):
    """One channel, and the incidents that it gets.

    ``severity``: the mildest that it gets. ``escalated``: it gets an incident only once that is escalated.
    ``to``: the Slack channel that a bot's token writes to.
    """

    name: str
    kind: ChannelKind
    severity: Severity = "warning"
    escalated: bool = False
    digest: bool = True
    to: str = ""

    def accepts(self, severity: Severity, /) -> bool:
        """Return whether incidents of this severity go to this channel."""
        return SEVERITIES.index(severity) <= SEVERITIES.index(self.severity)


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The alert rules of one pipeline.

    ``quiet``: two local times "HH:MM", the second the end; ``digest``: a local time.
    """

    channels: tuple[ChannelRule, ...] = ()
    quiet: tuple[str, str] | None = None
    digest: str | None = None
    escalate_after_s: float | None = None
