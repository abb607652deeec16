"""Opens a channel by its kind and its secret."""

from phasegate.channel import Channel
from phasegate.channels.apprise import Apprise
from phasegate.channels.http import check_url
from phasegate.channels.missing import Missing
from phasegate.channels.slack import TOKEN_PREFIX, SlackBot, SlackWebhook
from phasegate.channels.webhook import Webhook
from phasegate.plan.policy import ChannelRule


def channel_of(rule: ChannelRule, secret: str, /, *, variable: str) -> Channel:
    """Return the channel of a rule; ``variable`` holds its secret.

    A channel without a usable secret reports that when it is used.
    """
    if not secret:
        return Missing(f"it has no secret; set {variable}")
    if rule.kind == "apprise":
        return Apprise(secret)
    if rule.kind == "slack" and secret.startswith(TOKEN_PREFIX):
        return SlackBot(secret, to=rule.to) if rule.to else Missing(f'a bot needs a Slack channel; add to = "#…" to '
                                                                   f"[alerts.channel.{rule.name}]")  # fmt: skip
    if wrong := check_url(secret):
        return Missing(f"{variable} {wrong}" + (" and no bot's token" if rule.kind == "slack" else ""))
    return SlackWebhook(secret) if rule.kind == "slack" else Webhook(secret)
