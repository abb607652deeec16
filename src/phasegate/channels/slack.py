"""Slack channels: messages in Block Kit, by a bot's token or a webhook.

A bot edits its first message when the incident is resolved. An incoming webhook cannot edit: it posts a second message.
The texts of findings are escaped, so that Slack does not read them as markup.
"""

import json
import re
from typing import Any

from phasegate.alerts.notes import facts, headline
from phasegate.channel import Note, Reply
from phasegate.channels.http import TIMEOUT_S, TOTAL_S, Response, request

API = "https://slack.com/api"
TOKEN_PREFIX = "xox"
# An escape that a cut has left incomplete.
HALF_ESCAPE = re.compile(r"&(?:a|am|amp|l|lt|g|gt)?$")
# Slack's own limits.
HEADER_CHARS_MAX = 150
SECTION_CHARS_MAX = 3000
FIELD_CHARS_MAX = 2000
FIELDS_MAX = 10
# The first message is deleted or too old to be edited: a second one is posted.
NOT_EDITABLE = ("message_not_found", "cant_update_message", "edit_window_closed", "channel_not_found")
SIGNS = {"opened": ":red_circle:", "escalated": ":rotating_light:", "resolved": ":white_check_mark:",
         "digest": ":newspaper:", "test": ":wave:"}  # fmt: skip
MILD = ":large_yellow_circle:"

Block = dict[str, Any]


class SlackWebhook:
    """An incoming webhook at ``url``, which is a secret."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S, total_s: float = TOTAL_S) -> None:
        self._url, self._timeout_s, self._total_s = url, timeout_s, total_s

    def send(self, note: Note, /, *, ref: str) -> Reply:
        """Post the message; Slack answers 200 with ``ok``."""
        del ref
        answer = request(self._url, body=message_of(note), timeout_s=self._timeout_s, total_s=self._total_s)
        return Reply(error=answer.error, retry_after_s=answer.retry_after_s)


class SlackBot:
    """A bot that posts to a channel.

    ``token`` is a secret; ``to`` is the channel's name or id.
    """

    def __init__(
        self, token: str, *, to: str, api: str = API, timeout_s: float = TIMEOUT_S, total_s: float = TOTAL_S
    ) -> None:
        self._token, self._to, self._api = token, to, api
        self._timeout_s, self._total_s = timeout_s, total_s

    def send(self, note: Note, /, *, ref: str) -> Reply:
        """Post the message, or edit the incident's first one.

        An escalation is posted in the thread of the first message, a resolution edits it. ``ref``: its
        ``CHANNEL/TIMESTAMP``.
        """
        channel, _, ts = ref.partition("/")
        if note.kind == "resolved" and ts:
            reply = self._call("chat.update", {"channel": channel, "ts": ts, **message_of(note)}, ref=ref)
            if reply.error.removeprefix("Slack says ") not in NOT_EDITABLE:
                return reply
        thread = {"thread_ts": ts, "reply_broadcast": True} if note.kind == "escalated" and ts else {}
        return self._call(
            "chat.postMessage", {"channel": self._to, **thread, **message_of(note)}, ref=ref if thread else ""
        )

    def _call(self, method: str, body: Block, *, ref: str) -> Reply:
        answer = request(f"{self._api}/{method}", body=body, headers={"Authorization": f"Bearer {self._token}"},
                         timeout_s=self._timeout_s, total_s=self._total_s)  # fmt: skip
        if answer.error:
            return Reply(error=answer.error, retry_after_s=answer.retry_after_s)
        return _read(answer, ref=ref)


def _read(answer: Response, *, ref: str) -> Reply:
    """Read Slack's answer: status 200 is no success without ``ok``."""
    try:
        body = json.loads(answer.body)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return Reply(error="Slack answered something that is no JSON object")
    if body.get("ok") is not True:
        error = str(body.get("error", ""))
        known = error.replace("_", "").isalnum() and error.isascii() and len(error) <= 60
        return Reply(error=f"Slack says {error}" if known else "Slack says no, without a reason")
    return Reply(ref=ref or f"{body.get('channel', '')}/{body.get('ts', '')}")


def message_of(note: Note, /) -> Block:
    """Return the message: its blocks, and the text for notifications."""
    sign = MILD if note.kind == "opened" and note.severity != "error" else SIGNS[note.kind]
    header = {"type": "header", "text": {"type": "plain_text", "text": cut(headline(note), HEADER_CHARS_MAX)}}
    lines = [*note.lines, *([f"and {note.more} more"] if note.more else [])]
    blocks: list[Block] = [header]
    if lines:
        blocks.append(_section("\n".join(f"• {line}" for line in lines)))
    if note.evidence:
        fields = [{"type": "mrkdwn", "text": cut(f"*{escaped(name)}*\n{escaped(text)}", FIELD_CHARS_MAX)}
                  for name, text in list(note.evidence.items())[:FIELDS_MAX]]  # fmt: skip
        blocks.append({"type": "section", "fields": fields})
    if note.commands and note.kind != "resolved":
        typed = escaped("\n".join(note.commands)).replace("`", "'")
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": f"```{cut(typed, FIELD_CHARS_MAX)}```"}})
    context = " · ".join([sign, *(escaped(line) for line in facts(note)), escaped(note.id)])
    blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": cut(context, FIELD_CHARS_MAX)}]})
    return {"text": cut(escaped(headline(note)), SECTION_CHARS_MAX), "blocks": blocks}


def _section(text: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": cut(escaped(text), SECTION_CHARS_MAX)}}


def escaped(text: str, /) -> str:
    """Return a text escaped so that it holds no mention, link or channel.

    >>> escaped("<!channel> & <@U1>")
    '&lt;!channel&gt; &amp; &lt;@U1&gt;'
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cut(text: str, most: int, /) -> str:
    """Return a text cut to ``most`` characters, not within an escape.

    >>> cut("abcdef", 4), cut("a &lt; b", 6)
    ('abc…', 'a …')
    """
    return text if len(text) <= most else HALF_ESCAPE.sub("", text[: most - 1]) + "…"
