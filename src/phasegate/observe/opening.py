"""Opens the observers that send signals, as the environment names them.

By the variables of the standards themselves, so that other programs beside this one read the same. Nothing is imported
for a signal that is off.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from phasegate.errors import BadInput
from phasegate.observe.signals import Observers, SignalObserver, Signals
from phasegate.plan.model import Plan
from phasegate.ports import Observer

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
PROTOCOL = "http/protobuf"
LINEAGE_FILE = "OPENLINEAGE__TRANSPORT__LOG_FILE_PATH"
Post = Callable[[str, Mapping[str, object], Mapping[str, str]], str]


def with_signals(
    observer: Observer, plan: Plan, *, environ: Mapping[str, str], warehouse: str, post: Post,
) -> Observers:  # fmt: skip
    """Return an observer that also sends the signals which are on.

    ``warehouse``: its URL. ``post``: sends an object as JSON to a URL with headers; it returns why it was not taken, ""
    if it was. Raises BadInput for a variable that cannot be used.
    """
    traces = _traces(observer, plan, environ=environ)
    lineage = _lineage(observer, plan, environ=environ, warehouse=warehouse, post=post)
    signals = [one for one in (traces, lineage) if one is not None]
    return Observers(observer, *map(SignalObserver, signals))


def _version() -> str:
    from importlib.metadata import version  # takes longer to import than the rest of this module

    return version("phasegate")


def _first(environ: Mapping[str, str], *names: str) -> str:
    return next((value for name in names if (value := environ.get(name, "").strip())), "")


def _is_true(environ: Mapping[str, str], name: str) -> bool:
    return environ.get(name, "").strip().lower() == "true"


def _traces(observer: Observer, plan: Plan, *, environ: Mapping[str, str]) -> Signals | None:
    """Return the traces; None if they are off.

    Such variables may be those of a whole machine: what cannot be sent is reported, and nothing is refused.
    """
    endpoint = _first(environ, *ENDPOINTS)
    off = _is_true(environ, "OTEL_SDK_DISABLED") or environ.get("OTEL_TRACES_EXPORTER", "").strip() == "none"
    if not endpoint or off:
        return None
    if (protocol := _first(environ, *PROTOCOLS) or PROTOCOL) != PROTOCOL:
        mend = f"set {PROTOCOLS[0]}={PROTOCOL} and an endpoint for it, or OTEL_TRACES_EXPORTER=none"
        error = f"the protocol {protocol} is not supported; {mend}"
        observer.event("signals lost", to="traces", error=error)
        return None
    try:
        from phasegate.observe.traces import Traces
    except ImportError:
        error = "the library is missing: pip install 'phasegate[opentelemetry]', or set OTEL_TRACES_EXPORTER=none"
        observer.event("signals lost", to="traces", error=error)
        return None
    return Traces(plan.pipeline, endpoint=endpoint, version=_version(), observer=observer)


def _lineage(
    observer: Observer, plan: Plan, *, environ: Mapping[str, str], warehouse: str, post: Post,
) -> Signals | None:  # fmt: skip
    """Return the lineage; None if it is off."""
    url, file = environ.get("OPENLINEAGE_URL", "").strip(), ""
    if environ.get("OPENLINEAGE__TRANSPORT__TYPE", "").strip() == "file":
        file = environ.get(LINEAGE_FILE, "").strip()
    if _is_true(environ, "OPENLINEAGE_DISABLED") or not (url or file):
        return None
    from phasegate.observe.lineage import Lineage, appended, datasets_of

    send: Callable[[Mapping[str, object]], str]
    if file:
        send = appended(Path(file))
    else:
        if not url.startswith(("https://", "http://")):
            raise BadInput("OPENLINEAGE_URL: is no URL that begins with https:// or http://")
        path = environ.get("OPENLINEAGE_ENDPOINT", "").strip() or "api/v1/lineage"
        key = environ.get("OPENLINEAGE_API_KEY", "").strip()
        target, headers = f"{url.rstrip('/')}/{path.lstrip('/')}", {"Authorization": f"Bearer {key}"} if key else {}

        def send(event: Mapping[str, object]) -> str:
            return post(target, event, headers)

    return Lineage(plan, datasets=datasets_of(warehouse), producer=f"pkg:pypi/phasegate@{_version()}", send=send,
                   observer=observer)  # fmt: skip
