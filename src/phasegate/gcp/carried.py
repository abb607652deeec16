"""What Pub/Sub carries: names, attributes, and messages as they arrive. Pure.

A message is an event of CloudEvents in binary mode: its body is the data, and attributes say what it is.
"""

import re
from collections.abc import Mapping

import msgspec

from phasegate.base.codec import TEXT_FIELD, UNREADABLE_FIELD, offence
from phasegate.base.keys import WORD
from phasegate.bus import Message
from phasegate.errors import BadInput

ID, TYPE, OURS = "ce-id", "ce-type", "phasegate."
ID_LENGTH_MAX = 700
# Longer ones are refused by who reads them, and need not be stored whole.
BODY_BYTES_MAX, CUT_BYTES = 500_000, 10_000
ORDERING_BYTES_MAX = 1_024
_TOPIC = re.compile(r"(?!goog)[a-z][a-z0-9._-]{2,199}")


def check_topic(topic: str, /) -> None:
    """Refuse a topic whose name Pub/Sub does not take.

    Raises BadInput.
    """
    if not _TOPIC.fullmatch(topic):
        wanted = "3 to 200 of a-z 0-9 . _ - beginning with a letter, and not with goog"
        raise BadInput(f"topic {topic[:80]!r} cannot be in Pub/Sub: wanted {wanted}; rename it in the plan")


def subscription_of(topic: str, /, *, pipeline: str) -> str:
    """Return the name of the subscription by which a pipeline gets a topic.

    >>> subscription_of("nba.completions", pipeline="nba")
    'phasegate.nba.nba.completions'
    """
    return f"phasegate.{pipeline}.{topic}"


def topic_of(subscription: str, /, *, pipeline: str) -> str | None:
    """Return the topic of a subscription, None for one of others.

    >>> topic_of("projects/nba-props/subscriptions/phasegate.nba.nba.completions", pipeline="nba")
    'nba.completions'
    """
    name, prefix = subscription.rpartition("/")[2], subscription_of("", pipeline=pipeline)
    return name.removeprefix(prefix) if name.startswith(prefix) else None


def carried(message: Message, /, *, pipeline: str) -> tuple[bytes, dict[str, str], str]:
    """Return a message's data, attributes and ordering key: its run.

    Raises BadInput for what could not be delivered.
    """
    check_topic(message.topic)
    if not _is_id(message.id):
        wanted = f"use 1 to {ID_LENGTH_MAX} of a-z 0-9 . _ - and begin with a letter or a digit"
        raise BadInput(f"message id {message.id[:80]!r}: {wanted}")
    if why := offence(message.body):
        raise BadInput(f"message {message.id}: {why}")
    data = msgspec.json.encode(message.body, order="sorted")
    if len(data) > BODY_BYTES_MAX:
        raise BadInput(f"message {message.id}: {len(data):,} bytes, at most {BODY_BYTES_MAX:,} are carried; shorten it")
    kind, run = message.body.get("kind"), message.body.get("run")
    attributes = {
        "ce-specversion": "1.0",
        ID: message.id,
        TYPE: OURS + (kind if isinstance(kind, str) else "message"),
        "ce-source": f"/phasegate/{pipeline}",
        "content-type": "application/json",
    }
    return data, attributes, run[:ORDERING_BYTES_MAX] if isinstance(run, str) and run.isascii() else ""


def arrived(
    data: bytes, attributes: Mapping[str, str], /, *, number: str, published_at: str, topic: str
) -> Message:  # fmt: skip
    """Return a message as it arrived; ``number``: the id that Pub/Sub gave it.

    It stands in where the sender gave no id, or one that no key could hold. Data that is no JSON object becomes a body
    that says so, for its reader to refuse.
    """
    given, body = attributes.get(ID, ""), _body(data)
    if not attributes.get(TYPE, "").startswith(OURS) and UNREADABLE_FIELD not in body:
        body = completed(body, number=number, published_at=published_at)
    return Message(given if _is_id(given) else f"push.{number}", topic, body)


def completed(body: Mapping[str, object], /, *, number: str, published_at: str) -> dict[str, object]:
    """Return a message of others with what its delivery says.

    Its kind, if it is a completion; and, if it has none, the time of its publication as its order and its id as that of
    its content: both are the same at each delivery.
    """
    whole = {"kind": "completion", **body}
    if whole["kind"] != "completion":
        return whole
    if "sequence" not in whole and "completed_at" not in whole and published_at:
        whole["completed_at"] = published_at
    if not whole.get("execution_id"):
        whole["execution_id"] = f"push-{number}"
    return whole


def _body(data: bytes) -> dict[str, object]:
    if len(data) > BODY_BYTES_MAX:
        return unreadable(data, why=f"{len(data):,} bytes, at most {BODY_BYTES_MAX:,} are taken")
    try:
        body = msgspec.json.decode(data, type=dict[str, object])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        return unreadable(data, why=str(error))
    why = offence(body) if body else "an empty object"
    return body if why is None else unreadable(data, why=why)


def unreadable(data: bytes, /, *, why: str) -> dict[str, object]:
    """Return the body of a message whose data is no JSON object."""
    return {UNREADABLE_FIELD: why, TEXT_FIELD: data[:CUT_BYTES].decode(errors="backslashreplace")}


def _is_id(text: str) -> bool:
    return len(text) <= ID_LENGTH_MAX and WORD.fullmatch(text) is not None
