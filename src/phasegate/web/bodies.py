"""The bodies that the service takes and answers, as types.

An answer is the type that the command prints with ``--json``, with the exit code of the command as a field.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, field

from phasegate.answers.refusals import RefusalKind
from phasegate.base.codec import build_type
from phasegate.errors import BadInput, legible
from phasegate.messages import WHY_MAX
from phasegate.printed.checks import HealthJson, ReconciledJson
from phasegate.printed.parts import Anything, PrintedJson, Time
from phasegate.printed.runs import BegunJson, CompletedJson, RerunJson
from phasegate.printed.work import SweptJson
from phasegate.write.lease import TTL_MAX_S

DEPTH_MAX = 32
TEXT_MAX = 200
S = TypeVar("S", bound=msgspec.Struct)
ExitCode = Annotated[int, Meta(ge=0, le=3, description="What the command exits with.")]
Short = Annotated[str, Meta(max_length=TEXT_MAX)]


class RequestBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A body that is sent to the service."""


class EmptyBody(RequestBody, frozen=True, kw_only=True):
    """An empty object, or nothing."""


class BeginBody(RequestBody, frozen=True, kw_only=True):
    """What to begin: a run, or a step of it.

    Without ``step`` and ``message`` the run is opened. ``message``: a trigger or request that the caller received, in
    place of ``run``. ``lease``: what an earlier ``/begin`` answered: it is extended. ``ttl_s``: how long the lease
    lasts; default: the setting ``lease_ttl_s``. ``yes``: take a date that is more than a year away.
    """

    run: Short = ""
    step: Short | None = None
    message: Mapping[str, Anything] | None = None
    lease: Short = ""
    ttl_s: Annotated[float, Meta(ge=1, le=TTL_MAX_S)] | None = None
    yes: bool = False


class Extras(msgspec.Struct, frozen=True, kw_only=True):
    """What may stand beside a completion message.

    ``lease``: what ``/begin`` answered; it is given back. ``yes``: take a date that is more than a year away.
    """

    lease: Short = ""
    yes: bool = False


class RunBody(RequestBody, frozen=True, kw_only=True):
    """The run whose step is built."""

    run: Short


class ReconcileBody(RequestBody, frozen=True, kw_only=True):
    """The span of dates, and whether what differs is fixed.

    Without ``from``: the last ``days`` dates, default 7. ``to``: default today.
    """

    phase: Short | None = None
    days: Annotated[int, Meta(ge=1, le=3_700)] | None = None
    first: Short | None = field(default=None, name="from")
    last: Short | None = field(default=None, name="to")
    fix: bool = False


class HealthBody(RequestBody, frozen=True, kw_only=True):
    """The date to check, and whether incidents are stored and notified.

    ``date``: default yesterday in the pipeline's zone.
    """

    date: Short | None = None
    alert: bool = False


class ErrorAnswer(PrintedJson, frozen=True, kw_only=True):
    """What was refused, or failed: the place and the mend.

    ``request``: the id of the call, also in the log. ``exit_code``: what the command would exit with.
    """

    error: str
    kind: RefusalKind
    request: str
    exit_code: ExitCode


class CompletedAnswer(CompletedJson, frozen=True, kw_only=True):
    """The outcome of a report.

    ``differs``: the difference between reported and stored rows, or empty.
    """

    differs: str
    exit_code: ExitCode


class OpenedAnswer(BegunJson, frozen=True, kw_only=True):
    """The root phases of a run, when it was opened."""

    exit_code: ExitCode


class InputJson(PrintedJson, frozen=True, kw_only=True):
    """Which content an input has, and the token of its write."""

    fingerprint: str
    token: int


class HeldAnswer(PrintedJson, frozen=True, kw_only=True):
    """A step that the caller holds now.

    ``lease``: to send with the next ``/begin``, which extends it, and with ``/complete``. ``until``: when it expires.
    ``needed``: false if there is a result of these inputs. ``trigger_id``: to send with ``/complete``, so that the
    result counts as built from ``inputs``; empty for none.
    """

    run: str
    step: str
    date: str
    mode: str
    lease: str
    token: int
    until: Time
    needed: bool
    inputs: Mapping[str, InputJson]
    trigger_id: str
    exit_code: ExitCode


class BuiltAnswer(RerunJson, frozen=True, kw_only=True):
    """The outcome of building a step now."""

    exit_code: ExitCode


class SweptAnswer(SweptJson, frozen=True, kw_only=True):
    """What a sweep did."""

    exit_code: ExitCode


class ReconciledAnswer(ReconciledJson, frozen=True, kw_only=True):
    """Where documents, tables and calendar differ."""

    exit_code: ExitCode


class HealthAnswer(HealthJson, frozen=True, kw_only=True):
    """Every check of a date.

    ``unsent``: channel to error, of notifications that could not be sent; they are stored and retried.
    """

    unsent: Mapping[str, str]
    exit_code: ExitCode


class LiveAnswer(PrintedJson, frozen=True, kw_only=True):
    """The process answers."""

    live: Literal[True] = True


class ReadyAnswer(PrintedJson, frozen=True, kw_only=True):
    """The store answers."""

    ready: Literal[True] = True


class BuildAnswer(PrintedJson, frozen=True, kw_only=True):
    """What runs here.

    ``build``: as receipts and completions name it, with its parts: ``service`` and ``lock`` (the digest of the lock
    file) are empty if it does not name them, ``commit`` is null if it is unknown, ``dirty``: the working tree had other
    content than the commit. ``plan``: the digest of the plan.
    """

    version: str
    build: str
    service: str
    commit: str | None
    dirty: bool
    lock: str
    pipeline: str
    plan: str
    python: str


for _kind in (EmptyBody, BeginBody, RunBody, ReconcileBody, HealthBody, Extras):
    build_type(_kind)  # not by the first requests at once


def read_json(raw: bytes) -> dict[str, object]:
    """Return a body as an object; nothing counts as an empty one.

    Raises BadInput for what is no JSON, no object, or nested more than DEPTH_MAX deep.
    """
    if not raw.strip():
        return {}
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise BadInput(f"body: not JSON: {e}; send one JSON object in UTF-8") from None
    except RecursionError:
        raise BadInput(f"body: nested more than {DEPTH_MAX} deep; flatten it") from None
    if not isinstance(value, dict):
        raise BadInput(f"body: a JSON {type(value).__name__}; send one JSON object")
    if not _is_flat(value, DEPTH_MAX):
        raise BadInput(f"body: nested more than {DEPTH_MAX} deep; flatten it")
    return value


def _is_flat(value: object, left: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return left > 0 and all(_is_flat(one, left - 1) for one in inner)


def body_of(value: Mapping[str, object], kind: type[S]) -> S:
    """Return a body in its type.

    Raises BadInput that names the field.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as e:
        raise BadInput(f"body: {legible(str(e))[:WHY_MAX]}") from None
