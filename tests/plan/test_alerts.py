"""What ``[alerts]`` of a plan says, and what of it is refused."""

import pytest

from phasegate.errors import BadInput
from phasegate.plan.load import load_plan
from phasegate.plan.policy import ChannelRule, Policy

PLAN = """\
pipeline = "nba"
timezone = "UTC"
phase.raw = {}
step.gamebook = { phase = "raw", external = true }
"""
OPS = '[alerts.channel.ops]\nkind = "slack"\n'


def refusal(text: str) -> str:
    with pytest.raises(BadInput) as caught:
        load_plan(PLAN + text)
    return str(caught.value)


def test_a_plan_without_alerts_tells_nobody() -> None:
    assert load_plan(PLAN).alerts == Policy()


def test_all_that_can_be_said_is_read() -> None:
    plan = load_plan(PLAN + """
[alerts]
quiet = "22:00 .. 07:00"
digest = "08:00"
escalate_after = "1.5h"
[alerts.channel.ops]
kind = "slack"
to = "#nba-data"
[alerts.channel.pager]
kind = "apprise"
severity = "error"
escalated = true
[alerts.channel.log]
kind = "webhook"
severity = "note"
digest = false
""")  # fmt: skip
    assert plan.alerts == Policy(
        channels=(
            ChannelRule(name="ops", kind="slack", to="#nba-data"),
            ChannelRule(name="pager", kind="apprise", severity="error", escalated=True, digest=False),
            ChannelRule(name="log", kind="webhook", severity="note", digest=False),
        ),
        quiet=("22:00", "07:00"),
        digest="08:00",
        escalate_after_s=5400.0,
    )
    assert plan.hash != load_plan(PLAN).hash


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[alerts]\nquite = 1\n" + OPS, '6: alerts: unknown key "quite"; did you mean "quiet"?'),
        ('[alerts]\ndigest = "08:00"\n', "6: [alerts] digest: does nothing: the plan has no channel;"),
        ('[alerts]\ndigest = "8:00"\n' + OPS, '6: [alerts] digest: is "8:00", wanted a local time such as "08:00"'),
        ('[alerts]\ndigest = "08:00"\n' + OPS + "digest = false\n", "6: [alerts] digest: does nothing: each channel"),
        ('[alerts]\nquiet = "07:00 .. 07:00"\n' + OPS, '6: [alerts] quiet: is "07:00 .. 07:00", wanted two local'),
        ('[alerts]\nquiet = "22:00"\n' + OPS, '6: [alerts] quiet: is "22:00", wanted two local times such as'),
        ('[alerts]\nescalate_after = "0h"\n' + OPS, '6: [alerts] escalate_after: is "0h", wanted a length'),
        ('[alerts]\nescalate_after = "31d"\n' + OPS, '6: [alerts] escalate_after: is "31d", wanted a length'),
        ("[alerts]\nchannel = {}\n", "6: [alerts] channel: is empty, wanted at least one table"),
        (
            "[alerts.channel.ops]\n",
            '5: [alerts.channel.ops] kind: is missing, wanted "slack" or "webhook" or "cloudevents" or "apprise"',
        ),
        ('[alerts.channel.ops]\nkind = "mail"\n', '6: [alerts.channel.ops] kind: is "mail", wanted "slack" or'),
        (
            '[alerts.channel.ping]\nkind = "slack"\n',
            '5: [alerts.channel.ping]: the name "ping" is that of the dead-man',
        ),
        ('[alerts.channel.Ops]\nkind = "slack"\n', "5: [alerts.channel.Ops]: the name"),
        (
            OPS + 'severity = "bad"\n',
            '7: [alerts.channel.ops] severity: is "bad", wanted "error" or "warning" or "note"',
        ),
        (OPS + 'escalated = "yes"\n', '7: [alerts.channel.ops] escalated: is "yes", wanted true or false'),
        (OPS + 'to = ""\n', '7: [alerts.channel.ops] to: is "", wanted a channel such as "#nba-data"'),
        ('[alerts.channel.a]\nkind = "webhook"\nto = "#x"\n', '7: [alerts.channel.a] to: is for kind = "slack" only'),
        (OPS + 'url = "https://x"\n', '7: [alerts.channel.ops]: unknown key "url"; known: digest, escalated, kind'),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(text: str, error: str) -> None:
    assert refusal(text).removeprefix("plan.toml:").startswith(error)


def test_too_many_channels_are_refused() -> None:
    text = "".join(f'[alerts.channel.c{n}]\nkind = "webhook"\n' for n in range(21))
    assert "21 of them, at most 20 are allowed; remove some" in refusal(text)
