"""Opens channels and endpoints by their kinds and their secrets."""

from collections.abc import Iterable, Mapping

from phasegate.channel import Channel, PostReceiver
from phasegate.channels.apprise import Apprise
from phasegate.channels.cloudevents import CloudEvents
from phasegate.channels.http import check_url
from phasegate.channels.missing import Missing
from phasegate.channels.slack import TOKEN_PREFIX, SlackBot, SlackWebhook
from phasegate.channels.webhook import Webhook
from phasegate.plan.policy import ChannelRule


def channels_of(rules: Iterable[ChannelRule], secrets: Mapping[str, str], *, prefix: str) -> dict[str, Channel]:
    """Return the channels of these rules, by name.

    ``prefix``: of the variables that hold their secrets. A channel without a usable secret reports that when it is
    used.
    """
    return {
        rule.name: _channel(rule, secrets.get(rule.name, ""), variable=f"{prefix}{rule.name.upper()}") for rule in rules
    }


def endpoints_of(names: Iterable[str], addresses: Mapping[str, str], *, prefix: str) -> dict[str, PostReceiver]:
    """Return the receivers of triggers of these names.

    ``prefix``: of the variables that hold their addresses. One without a usable address reports that when it is used.
    """
    return {name: _endpoint(addresses.get(name, ""), variable=f"{prefix}{name.upper()}") for name in names}


def _channel(rule: ChannelRule, secret: str, *, variable: str) -> Channel:
    if not secret:
        return Missing(f"it has no secret; set {variable}")
    if rule.kind == "apprise":
        return Apprise(secret)
    if rule.kind == "slack" and secret.startswith(TOKEN_PREFIX):
        return SlackBot(secret, to=rule.to) if rule.to else Missing(f'a bot needs a Slack channel; add to = "#…" to '
                                                                   f"[alerts.channel.{rule.name}]")  # fmt: skip
    if rule.kind == "cloudevents":
        return _cloudevents(secret, variable=variable)
    if wrong := check_url(secret):
        return Missing(f"{variable} {wrong}" + (" and no bot's token" if rule.kind == "slack" else ""))
    return SlackWebhook(secret) if rule.kind == "slack" else Webhook(secret)


def _endpoint(address: str, *, variable: str) -> PostReceiver:
    return _cloudevents(address, variable=variable) if address else Missing(f"it has no address; set {variable}")


def _cloudevents(address: str, *, variable: str) -> CloudEvents | Missing:
    """Return a receiver at ``URL``, or at ``URL AUTHORIZATION``."""
    url, _, authorization = address.partition(" ")
    if wrong := check_url(url):
        return Missing(f"{variable} {wrong}")
    if not (authorization.isascii() and authorization.isprintable()):
        return Missing(f"{variable}: after the URL and a blank comes the value of the header Authorization; fix it")
    return CloudEvents(url, authorization=authorization.strip())
