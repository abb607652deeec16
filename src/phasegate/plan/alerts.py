"""Reads the ``[alerts]`` table of a plan.

It refuses addresses and tokens: they are secrets, and come from the environment. Pure.
"""

import re
from typing import cast

from phasegate.base.findings import SEVERITIES, Severity
from phasegate.plan.policy import KINDS, ChannelKind, ChannelRule, Policy
from phasegate.plan.times import UNITS
from phasegate.plan.toml_read import Section

ALERT_KEYS = ("channel", "quiet", "digest", "escalate_after")
CHANNEL_KEYS = ("kind", "severity", "escalated", "digest", "to")
CHANNELS_MAX = 20
ESCALATE_MAX_S = 30 * 86400.0
# PHASEGATE_ALERTS_PING is the dead-man switch.
PING = "ping"

_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)
_LENGTH = re.compile(r"(\d{1,5}(?:\.\d{1,3})?)\s*([mhd])", re.ASCII)
_TO = re.compile(r"[#@]?[A-Za-z0-9][\w.-]{0,79}", re.ASCII)


def read_alerts(top: Section) -> Policy:
    """Return the alert rules; without the table there are no channels."""
    if not top.has("alerts"):
        return Policy()
    section = top.section("alerts", wanted="a table [alerts]")
    section.only(ALERT_KEYS)
    channels: tuple[ChannelRule, ...] = ()
    if section.has("channel"):
        tables = section.named("channel", wanted="at least one table [alerts.channel.NAME]")
        if len(tables) > CHANNELS_MAX:
            raise section.error("channel", f"{len(tables)} of them, at most {CHANNELS_MAX} are allowed; remove some")
        channels = tuple(_channel(inner, name=name) for name, inner in tables.items())
    for key in ("quiet", "digest", "escalate_after"):
        if section.has(key) and not channels:
            raise section.error(key, "does nothing: the plan has no channel; write [alerts.channel.NAME], or remove it")
    if section.has("digest") and not any(channel.digest for channel in channels):
        raise section.error("digest", "does nothing: each channel has digest = false; remove it, or one of those")
    return Policy(
        channels=channels,
        quiet=_quiet(section),
        digest=section.text("digest", wanted='a local time such as "08:00"', form=_CLOCK)
        if section.has("digest")
        else None,
        escalate_after_s=_length(section, "escalate_after"),
    )


def _channel(section: Section, *, name: str) -> ChannelRule:
    section.only(CHANNEL_KEYS)
    if name == PING:
        raise section.error(None, f'the name "{PING}" is that of the dead-man switch; choose another')
    section.text("kind", wanted=" or ".join(f'"{kind}"' for kind in KINDS))
    kind = cast("ChannelKind", section.choice("kind", known=KINDS, default=""))
    to = ""
    if section.has("to"):
        if kind != "slack":
            raise section.error("to", 'is for kind = "slack" only; remove it')
        to = section.text("to", wanted='a channel such as "#nba-data", or its id', form=_TO)
    escalated = _flag(section, "escalated", default=False)
    return ChannelRule(
        name=name,
        kind=kind,
        severity=cast("Severity", section.choice("severity", known=SEVERITIES, default="warning")),
        escalated=escalated,
        digest=_flag(section, "digest", default=not escalated),
        to=to,
    )


def _flag(section: Section, key: str, *, default: bool) -> bool:
    value = section.body.get(key, default)
    if not isinstance(value, bool):
        raise section.unwanted(key, wanted="true or false")
    return value


def _quiet(section: Section) -> tuple[str, str] | None:
    if not section.has("quiet"):
        return None
    wanted = 'two local times such as "22:00 .. 07:00"'
    first, _, last = (part.strip() for part in section.text("quiet", wanted=wanted).partition(".."))
    if not _CLOCK.fullmatch(first) or not _CLOCK.fullmatch(last) or first == last:
        raise section.unwanted("quiet", wanted=wanted)
    return first, last


def _length(section: Section, key: str) -> float | None:
    if not section.has(key):
        return None
    wanted = 'a length such as "4h" (m, h or d), more than nothing and at most 30 days'
    found = _LENGTH.fullmatch(section.text(key, wanted=wanted))
    seconds = float(found[1]) * UNITS[found[2]] if found else 0.0
    if not 0 < seconds <= ESCALATE_MAX_S:
        raise section.unwanted(key, wanted=wanted)
    return seconds
