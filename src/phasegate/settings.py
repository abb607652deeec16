"""The settings, from phasegate.toml, the environment and arguments.

Later ones win. An unknown or wrong value is refused in one line that names its source and the fix; of a URL that may
hold a password only the scheme is shown.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, cast

import msgspec

from phasegate.base.codec import build_type
from phasegate.base.wording import decoded
from phasegate.build import FORM as BUILD_FORM
from phasegate.build import is_build
from phasegate.dialects.engines import ENGINES, Engine
from phasegate.errors import BadInput
from phasegate.gcp import bigquery_address
from phasegate.gcp.address import FIRESTORE, PUBSUB, fault
from phasegate.plan.toml_lines import parse, spell, suggest
from phasegate.postgresql import address
from phasegate.setting import PREFIX, SETTINGS, Setting

# Set for the command of a step, which may use Phasegate itself.
COMMAND_VARIABLES = ("PHASEGATE_RUN", "PHASEGATE_STEP", "PHASEGATE_DATE", "PHASEGATE_MODE", "PHASEGATE_TOKEN")
# Secrets of alert channels, by their names in the plan: no settings, and never shown.
ALERTS_PREFIX = "PHASEGATE_ALERTS_"
# Addresses of receivers with ack = "post", by their names in the plan: likewise.
POST_PREFIX = "PHASEGATE_POST_"
TABLE = "phasegate"
STATE = "STATE"
HEARTBEATS_PER_TTL = 4
# URLs that name a file.
FILES = ("sqlite:///", "duckdb:///", "file:///")

LogFormat = Literal["auto", "text", "json"]
GoogleFront = Literal["none", "cloud-run"]
LogLevel = Literal["all", "notable", "none"]


_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+):(\d{1,5})", re.ASCII)
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", re.DOTALL)
# Without TLS only on this machine.
_WEB = re.compile(r"(https://[\w.-]+|http://(127\.0\.0\.1|localhost))(:\d{1,5})?(/[!-~]*)?", re.ASCII)
_BY_NAME = {setting.name: setting for setting in SETTINGS}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings, checked.

    ``STATE`` in URLs is replaced; relative paths are relative to the working directory.
    """

    state: Path
    store: str
    mirror: str | None
    bus: str
    warehouse: str
    warehouse_name: str
    plan: Path
    build: str | None
    lease_ttl_s: float
    heartbeat_s: float
    poll_s: float
    visibility_s: float
    hold_ms: float
    lock_timeout_s: float
    connections_max: int
    connect_timeout_s: float
    statement_timeout_s: float
    query_timeout_s: float
    serve_threads: int
    serve_rate: int
    serve_work_s: float
    audience: str | None
    google_keys: str
    google_front: GoogleFront
    metrics: str
    log_format: LogFormat
    log_level: LogLevel

    @property
    def store_path(self) -> Path | None:
        """Return the file of the store, None for one on a server."""
        return path_of(self.store) if self.store.startswith("sqlite:") else None

    @property
    def has_store(self) -> bool:
        """Return whether there is a store.

        True also for one on a server, and for one that this user may not reach.
        """
        try:
            return self.store_path is None or self.store_path.exists()
        except PermissionError:  # opening it says so
            return True

    @property
    def warehouse_path(self) -> Path | None:
        """Return the file of the warehouse, None for one on a server."""
        return path_of(self.warehouse) if self.warehouse.startswith("duckdb:") else None

    @property
    def engine(self) -> Engine:
        """Return the engine whose SQL the warehouse runs."""
        scheme = self.warehouse.partition(":")[0]
        return next(engine for engine in ENGINES if engine == scheme)


build_type(Settings)  # not by threads that load settings at once


class SettingValue(msgspec.Struct, frozen=True):
    """A value and its source.

    The source is a variable, an argument, or ``file:line: key`` of a TOML file.
    """

    value: object
    source: str
    in_file: bool = False

    def error(self, setting: Setting, text: str, /) -> BadInput:
        """Return the one-line refusal of this value."""
        value = _without_secrets(self.value) if setting.type == "URL" and isinstance(self.value, str) else self.value
        shown = spell(value)
        if self.in_file:
            return BadInput(f"{self.source} = {shown}: {text}")
        if isinstance(value, str):
            shown = f"'{shown[1:-1]}'"
        return BadInput(f"{self.source}={shown}: {text}")


def load_settings(
    environ: Mapping[str, str], *, file: Path | None = None, overrides: Mapping[str, object] | None = None
) -> Settings:
    """Return the settings from file, environment and overrides.

    Each replaces values of the one before, and the defaults; the file may be missing, and an override of None counts
    as not given. Raises BadInput in one line.

    >>> load_settings({"PHASEGATE_STATE": "/var/lib/pg"}).store
    'sqlite:////var/lib/pg/phasegate.db'
    """
    given = {**_from_file(file), **_from_environment(environ), **_from_arguments(overrides or {})}
    values: dict[str, object] = {s.name: _value(s, given[s.name]) if s.name in given else s.default for s in SETTINGS}
    ttl_s = cast(float, values["lease_ttl_s"])
    if values["heartbeat_s"] is None:
        values["heartbeat_s"] = ttl_s / HEARTBEATS_PER_TTL
    elif cast(float, values["heartbeat_s"]) > ttl_s / 2:
        wanted = f"wanted at most half of lease_ttl_s, which is {ttl_s:g}: a lease must survive one lost heartbeat"
        raise given["heartbeat_s"].error(_BY_NAME["heartbeat_s"], wanted)
    if values["poll_s"] is None:
        values["poll_s"] = 90.0 if str(values["store"]).startswith("firestore:") else 1.0
    state = str(values["state"])
    for name in ("store", "mirror", "warehouse"):
        if values[name] is not None:
            values[name] = re.sub(rf"^(\w+:///){STATE}(?=/)", lambda m: m[1] + state, str(values[name]))
    return msgspec.convert({**values, "state": Path(state), "plan": Path(str(values["plan"]))}, Settings)


def variables_of(settings: Settings, /) -> dict[str, str]:
    """Return the variables that give a process these settings.

    Paths are absolute, so that they hold in any folder.
    """
    found = {}
    for setting in SETTINGS:
        value = getattr(settings, setting.name)
        if value is None:
            continue
        if setting.type == "path":
            value = Path(value).absolute()
        elif setting.type == "URL" and value.startswith(FILES):
            value = f"{value.partition('://')[0]}:///{path_of(value).absolute()}"
        found[setting.variable] = str(value)
    return found


def secrets_of(environ: Mapping[str, str], /, *, prefix: str = ALERTS_PREFIX) -> dict[str, str]:
    """Return the value of each ``PHASEGATE_ALERTS_NAME`` that is not empty.

    By NAME in lower case: the channels' secrets. ``prefix``: or those of variables that begin with this.

    >>> secrets_of({"PHASEGATE_ALERTS_OPS": "https://example.org/hook", "PHASEGATE_STATE": "x"})
    {'ops': 'https://example.org/hook'}
    """
    given = {variable.removeprefix(prefix).lower(): value.strip() for variable, value in environ.items()
             if variable.startswith(prefix)}  # fmt: skip
    return {name: value for name, value in given.items() if value}


def path_of(url: str, /) -> Path:
    """Return the file that a URL names.

    Three slashes begin a relative path, four an absolute one.

    >>> path_of("sqlite:///a/b.db"), path_of("duckdb:////a/b.duckdb")
    (PosixPath('a/b.db'), PosixPath('/a/b.duckdb'))
    """
    return Path(url.partition(":///")[2])


def text_of(file: Path, /) -> str:
    """Return the text of a file of UTF-8.

    Raises OSError, and BadInput for another encoding.
    """
    raw = file.read_bytes()
    try:
        return decoded(raw)
    except BadInput as e:
        raise BadInput(f"{file.name}: {e}") from None


def _from_file(file: Path | None) -> dict[str, SettingValue]:
    """Return the values of the file; {} if there is none."""
    if file is None:
        return {}
    try:
        text = text_of(file)
    except FileNotFoundError:
        return {}
    except OSError as e:
        raise BadInput(f"{file.name}: cannot be read ({e.strerror}); fix or remove the file") from None
    toml = parse(text, name=file.name)
    for key in toml.body:
        if key != TABLE:
            kind = "table" if isinstance(toml.body[key], dict) else "key"
            raise toml.error((), f"unknown {kind} {spell(key)}; settings belong below [{TABLE}]", at=(key,))
    table = toml.body.get(TABLE, {})
    if not isinstance(table, dict):
        raise toml.error((TABLE,), f"is {spell(table)}, wanted a table; write [{TABLE}]")
    found = {}
    for name, value in cast("dict[str, object]", table).items():
        line = toml.line((TABLE, name))
        if name not in _BY_NAME:
            raise BadInput(f"{file.name}:{line}: unknown setting {spell(name)}{suggest(name, known=_BY_NAME)}")
        found[name] = SettingValue(value, f"{file.name}:{line}: {name}", in_file=True)
    return found


def _from_environment(environ: Mapping[str, str]) -> dict[str, SettingValue]:
    """Return the values of the variables.

    An unknown variable is refused without its value.
    """
    known = {setting.variable: setting for setting in SETTINGS}
    found = {}
    for variable, value in environ.items():
        if not variable.startswith(PREFIX):
            continue
        if variable in COMMAND_VARIABLES or variable.startswith((ALERTS_PREFIX, POST_PREFIX)):
            continue
        if variable not in known:
            raise BadInput(f"{variable}: unknown variable{suggest(variable, known=known)}")
        if value or known[variable].type != "build":  # an image that was built without one has an empty one
            found[known[variable].name] = SettingValue(value, variable)
    return found


def _from_arguments(overrides: Mapping[str, object]) -> dict[str, SettingValue]:
    """Return the values of the caller's arguments."""
    for name in overrides:
        if name not in _BY_NAME:
            raise BadInput(f"argument {name}: unknown setting{suggest(name, known=_BY_NAME)}")
    return {name: SettingValue(value, f"argument {name}") for name, value in overrides.items() if value is not None}


def _value(setting: Setting, given: SettingValue) -> object:
    """Return the value in its type."""
    if setting.type in ("seconds", "milliseconds", "number"):
        return _number(setting, given)
    value = str(given.value) if isinstance(given.value, Path) else given.value
    if setting.choices:
        if value not in setting.choices:
            raise given.error(setting, f"wanted {' or '.join(setting.choices)}")
    elif not isinstance(value, str) or not value:
        raise given.error(
            setting, f"wanted a {setting.type} such as {setting.default or setting.form or 'https://example.org'}"
        )
    elif setting.type == "URL":
        _check_url(setting, given, url=value)
    elif wrong := _fault_of_text(setting, value):
        raise given.error(setting, wrong)
    return value


def _fault_of_text(setting: Setting, value: str) -> str:
    """Return what is wrong with a text; "" for nothing."""
    match setting.type:
        case "address":
            found = _ADDRESS.fullmatch(value)
            fits = value == "off" or (found is not None and int(found[2]) < 65_536)
            return "" if fits else "wanted HOST:PORT, such as 127.0.0.1:9464, or off"
        case "build":
            return "" if is_build(value) else f"wanted {BUILD_FORM}"
        case "name" if not _NAME.fullmatch(value):
            return "wanted a name of a-z, 0-9, '.', '_' and '-', at most 80 characters"
        case _:
            return "" if value.isprintable() else "holds an invisible character; remove it"


def _number(setting: Setting, given: SettingValue) -> float:
    unit = "" if setting.type == "number" else f" of {setting.type}"
    wanted = f"wanted a {'whole ' if not unit else ''}number{unit} from {setting.low:g} to {setting.high:g}"
    value = given.value
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise given.error(setting, wanted)
    if isinstance(value, str) and given.in_file:
        raise given.error(setting, f"{wanted}, without quotes")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise given.error(setting, wanted) from None
    if not setting.low <= number <= setting.high or (not unit and not number.is_integer()):
        raise given.error(setting, wanted)
    return number if unit else int(number)


def _check_url(setting: Setting, given: SettingValue, *, url: str) -> None:
    """Refuse a URL that no adapter of this version supports."""
    found = _URL.fullmatch(url)
    if found is None:
        raise given.error(setting, f"not a URL; write {setting.form}")
    scheme = found[1]
    form = next((form for form in setting.forms if form.startswith(f"{scheme}:")), None)
    if form is None:
        raise given.error(setting, f"{scheme} is not a {setting.name} of this version; write {setting.form}")
    if not form.startswith(FILES):
        if wrong := _fault(url, form=form):
            raise given.error(setting, wrong)
        return
    path = found[2].removeprefix("///")
    if path == found[2] or not path or path.endswith("/"):
        raise given.error(setting, f"names no file; write {form}, with three slashes (four: from the root)")
    if ":memory:" in path or "?" in path or "#" in path or not path.isprintable():
        raise given.error(setting, f"wanted the path of a file, without ? and # and not :memory:; write {form}")


def _fault(url: str, *, form: str) -> str:
    """Return what is wrong with a URL that names no file; "" for nothing."""
    if form == address.FORM:
        return address.fault(url)
    if form in (FIRESTORE, PUBSUB):
        return fault(url, form=form)
    if form == bigquery_address.FORM:
        return bigquery_address.fault(url)
    if form.startswith("http"):
        return "" if _WEB.fullmatch(url) else "wanted the address of a page, without user and password"
    return "" if url == form else f"nothing may follow the colon; write {form}"


def _without_secrets(url: str) -> str:
    """Return the part of a URL that may be shown: of all but files the scheme."""
    found = _URL.fullmatch(url)
    if found is None or ("@" not in url and found[1] in ("sqlite", "duckdb", "local")):
        return url
    return f"{found[1]}:…"
