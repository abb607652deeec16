"""Connects adapters to ports, as the settings name them.

The only module that names every adapter. Each is imported where it is opened, so that ``phasegate status``, which opens
the store only, imports no other.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from msgspec.structs import replace

from phasegate.errors import BadInput, NotFound
from phasegate.settings import ALERTS_PREFIX, POST_PREFIX, Settings, load_settings, secrets_of, text_of, variables_of

if TYPE_CHECKING:
    from phasegate.base.exported import Exported, Unread
    from phasegate.bus import Bus
    from phasegate.calendar.calendar import Dates
    from phasegate.channel import Channel, Pinger, PostReceiver
    from phasegate.check.shapes import Binder
    from phasegate.code.translated import Translator
    from phasegate.pipeline import Pipeline
    from phasegate.plan.model import Plan
    from phasegate.ports import Clock, Observer, Ports, ReadPorts
    from phasegate.store import Store
    from phasegate.warehouse import Reader, Warehouse
    from phasegate.write.builder import PythonStep

SETTINGS_FILE = "phasegate.toml"
DOCUMENTS = {"file": "file:///PATH", "firestore": "firestore://PROJECT", "sqlite": "sqlite:///PATH"}


def connect(
    plan: str | Path | Plan | None = None,
    *,
    clock: Clock | None = None,
    observer: Observer | None = None,
    wrap: Callable[[Ports], Ports] | None = None,
    settings: Settings | None = None,
    dates: Dates | None = None,
    **overrides: object,
) -> Pipeline:
    """Open a pipeline: a plan on the ports that the settings name.

    ``plan``: a path or a loaded plan. Settings come from ``phasegate.toml``, then ``PHASEGATE_*``, then the keyword
    arguments, such as ``state``. ``wrap`` may put something round the ports: faults, metrics. ``dates`` replaces the
    plan's calendar. Close it when done: ``with closing(connect())``.

    Raises BadInput for a wrong plan or setting, Unavailable when a store cannot be used.
    """
    from phasegate.code.translated import Translator
    from phasegate.observe.opening import with_signals
    from phasegate.pipeline import Pipeline
    from phasegate.plan.model import Plan
    from phasegate.system import disks_of

    if settings is None:
        settings = load_settings(os.environ, file=Path(SETTINGS_FILE), overrides=overrides)
    folder = Path.cwd()
    if not isinstance(plan, Plan):
        path = Path(plan) if plan is not None else settings.plan
        plan, folder, settings = read_plan(path), path.absolute().parent, replace(settings, plan=path)
    observers = with_signals(observer or _open_log(settings), plan, environ=os.environ, warehouse=settings.warehouse,
                             post=_post)  # fmt: skip
    translator = Translator(plan, engine=settings.engine)
    ports = open_ports(
        settings, pipeline=plan.pipeline, clock=clock, observer=observers, folder=folder, translator=translator
    )
    if wrap is not None:
        ports = wrap(ports)
    pipeline = Pipeline(
        plan,
        ports,
        warehouse_name=settings.warehouse_name,
        ttl_s=settings.lease_ttl_s,
        heartbeat_s=settings.heartbeat_s,
        poll_s=settings.poll_s,
        functions=functions_of(plan),
        dates=dates or dates_of(plan),
        disks=partial(disks_of, settings.state, settings.warehouse_path and settings.warehouse_path.parent),
        translator=translator,
    )
    channels, pinger = open_channels(plan, os.environ), open_pinger(os.environ)
    if channels or pinger is not None:
        pipeline.alerts.reach(channels, pinger=pinger)
    pipeline.post_to(_open_endpoints(plan, os.environ))
    pipeline.at_close(observers.close)
    return pipeline


def _open_log(settings: Settings) -> Observer:
    from phasegate.observe.log import AS_JSON, LogObserver

    return LogObserver(level=settings.log_level, json=AS_JSON[settings.log_format])


def _post(url: str, body: Mapping[str, object], headers: Mapping[str, str]) -> str:
    from phasegate.channels.http import request

    return request(url, body=body, headers=headers).error


def read_plan(path: str | Path, /) -> Plan:
    """Read a plan and the SQL files it names.

    Their paths are relative to the plan's. Raises BadInput.
    """
    from phasegate.plan.load import load_plan

    path = Path(path)
    try:
        text = text_of(path)
    except FileNotFoundError:
        mend = "change to its folder, name it with --plan or PHASEGATE_PLAN, or write one: phasegate init"
        raise BadInput(f"{path}: there is no such plan; {mend}") from None
    except OSError as e:
        raise BadInput(f"{path}: cannot be read as a plan: {e}") from None
    return load_plan(text, files=lambda name: text_of(path.parent / name), name=path.name)


def open_reading(settings: Settings, *, clock: Clock | None = None) -> ReadPorts:
    """Return what reads documents: the store and a clock.

    Neither a bus nor a warehouse is imported for it.
    """
    from phasegate.ports import ReadPorts
    from phasegate.system import SystemClock

    return ReadPorts(store=open_store(settings), clock=clock or SystemClock())


def create_state(settings: Settings, /) -> None:
    """Create the state's directory; raise BadInput if that fails."""
    try:
        settings.state.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise BadInput(f"state directory {settings.state}: {e.strerror}; name another with PHASEGATE_STATE") from None


def open_store(settings: Settings, /) -> Store:
    """Return the store.

    Its file is created where there is none; a database of PostgreSQL must have one. Raises BadInput, Unavailable.
    """
    if settings.store_path is not None:
        from phasegate.stores.sqlite import SQLiteStore

        return SQLiteStore(settings.store_path)
    if settings.store.startswith("firestore:"):
        from phasegate.stores.firestore import FirestoreStore

        return FirestoreStore(settings.store)
    from phasegate.stores.postgres import PostgresStore

    return PostgresStore(
        settings.store,
        connections_max=settings.connections_max,
        connect_timeout_s=settings.connect_timeout_s,
        statement_timeout_s=settings.statement_timeout_s,
    )


def create(what: Literal["store", "warehouse"], url: str, settings: Settings, /) -> tuple[str, int, int]:
    """Create the store or the warehouse on a server, or migrate it.

    Return its address without secrets, and the version of its schema before, 0 for none, and after. Raises BadInput,
    Unavailable, Ambiguous.
    """
    from phasegate.postgresql.address import FORM
    from phasegate.warehouses.servers import create_own

    if what == "warehouse" and url.startswith("bigquery:"):
        return create_own(url, connect_timeout_s=settings.connect_timeout_s)
    if not url.startswith("postgresql:"):
        raise BadInput(f"--{what}: wanted {FORM}; any other {what} is created by the first command that writes")
    from phasegate.stores.postgres import migrate_store

    migrated = {"store": migrate_store, "warehouse": create_own}[what]
    return migrated(url, connect_timeout_s=settings.connect_timeout_s)


def _open_bus(settings: Settings, reading: ReadPorts, *, pipeline: str, observer: Observer) -> Bus:
    from phasegate.buses.opening import bus_of, wake_of

    wake = wake_of(settings.store, folder=settings.state / "wake", clock=reading.clock, poll_s=settings.poll_s,
                   connect_timeout_s=settings.connect_timeout_s)  # fmt: skip
    return bus_of(settings.bus, reading=reading, wake=wake, pipeline=pipeline, observer=observer,
                  visibility_s=settings.visibility_s)  # fmt: skip


def open_ports(
    settings: Settings, *, pipeline: str, clock: Clock | None = None, observer: Observer | None = None,
    folder: Path | None = None, translator: Translator | None = None,
) -> Ports:  # fmt: skip
    """Return the ports: the store, the bus, the warehouse and the others.

    ``folder``: where the commands of steps run, None for the working directory. ``translator``: translates what is
    asked of the warehouse; None: queries are in its own SQL.
    """
    from phasegate.observe.context import ContextObserver
    from phasegate.ports import Ports
    from phasegate.processes import SystemShell
    from phasegate.repository import ProcessBuild
    from phasegate.stores.opening import mirror_of
    from phasegate.system import PrintedOutput, ThreadBackground, new_id

    create_state(settings)
    reading = open_reading(settings, clock=clock)
    store, clock = reading.store, reading.clock
    observer = ContextObserver(observer or _open_log(settings))
    return Ports(
        store=store,
        bus=_open_bus(settings, reading, pipeline=pipeline, observer=observer),
        warehouse=open_warehouse(settings, translator=translator),
        clock=clock,
        observer=observer,
        background=ThreadBackground(observer),
        ids=new_id,
        output=PrintedOutput(),
        shell=SystemShell(folder or Path.cwd(), environment=variables_of(settings)),
        foreign=mirror_of(settings.mirror, store=settings.store),
        build=ProcessBuild(settings.build, folder=folder or Path.cwd(), environ=os.environ),
    )


def open_warehouse(settings: Settings, *, translator: Translator | None = None) -> Warehouse:
    """Return the warehouse, which is opened when it is used.

    ``translator``: as for ``open_ports``.
    """
    if settings.warehouse_path is not None:
        from phasegate.warehouses.duckdb.warehouse import DuckDBWarehouse

        path, wait_s = settings.warehouse_path, settings.lock_timeout_s
        return DuckDBWarehouse(path, lock_timeout_s=wait_s, hold_ms=settings.hold_ms)
    from phasegate.warehouses.servers import open_server

    return open_server(settings.warehouse, settings, translator=translator)


def open_other_warehouse(url: str, settings: Settings, /) -> tuple[Plan, Warehouse]:
    """Return another warehouse, and the plan in its SQL.

    Raises BadInput for a URL of no warehouse, for the one that the settings name, and for SQL that it cannot run.
    """
    from phasegate.code.translated import with_sql

    try:
        named = load_settings({}, overrides={"warehouse": url, "state": settings.state}).warehouse
    except BadInput as e:
        raise BadInput(f"--copy: {str(e).removeprefix('argument warehouse=')}") from None
    if named == settings.warehouse:
        raise BadInput("--copy: this is the warehouse that the settings name; name another")
    other = replace(settings, warehouse=named)
    plan = with_sql(read_plan(settings.plan), engine=other.engine, parameter="${}")
    return plan, open_warehouse(other)


def open_binder() -> Binder:
    """Return what binds the SELECTs of a plan without any table: DuckDB."""
    from phasegate.warehouses.duckdb.shapes import Unstored

    return Unstored()


def open_channels(plan: Plan, environ: Mapping[str, str], /) -> dict[str, Channel]:
    """Return the channels of a plan, with the environment's secrets.

    A channel without a usable secret reports that when it is used.
    """
    if not plan.alerts.channels:
        return {}
    # with their HTTP client they take 40 ms to import: only a plan with channels pays for it
    from phasegate.channels.opening import channels_of

    return channels_of(plan.alerts.channels, secrets_of(environ), prefix=ALERTS_PREFIX)


def _open_endpoints(plan: Plan, environ: Mapping[str, str]) -> dict[str, PostReceiver]:
    names = {send.topic for phase in plan.phases.values() for send in phase.sends if send.ack == "post"}
    if not names:
        return {}
    from phasegate.channels.opening import endpoints_of

    return endpoints_of(names, secrets_of(environ, prefix=POST_PREFIX), prefix=POST_PREFIX)


def open_pinger(environ: Mapping[str, str], /) -> Pinger | None:
    """Return the dead-man switch, if the environment names one.

    Raises BadInput for what is no address.
    """
    from phasegate.plan.alerts import PING

    url = secrets_of(environ).get(PING, "")
    if not url:
        return None
    from phasegate.channels.http import check_url
    from phasegate.channels.ping import Ping

    if wrong := check_url(url):
        raise BadInput(f"{ALERTS_PREFIX}{PING.upper()}: {wrong}")
    return Ping(url)


def open_documents(url: str, /, *, days: int | None = None, today: str = "") -> Iterator[Exported | Unread]:
    """Give the completion documents of an export, of Firestore or a store.

    ``file:///PATH`` names a file or folder, ``firestore://PROJECT`` a database with the platform's documents, of which
    those of the last ``days`` dates are read; ``sqlite:///PATH`` and ``postgresql://…`` a store of Phasegate. Raises
    BadInput, NotFound, Unavailable.
    """
    from phasegate.interop.mirrored import mirrored_in

    if url.startswith("postgresql:"):
        from phasegate.stores.postgres import PostgresStore

        return mirrored_in(partial(PostgresStore, url))
    if url.startswith(("file:///", "firestore:")):
        from phasegate.interop.live import live
        from phasegate.stores.opening import foreign_of

        return live(foreign_of(url), days=days if url.startswith("firestore:") else None, today=today)
    path = _place_of(url, what="--store", forms=DOCUMENTS)[1]
    if not path.is_file() or not path.stat().st_size:
        raise NotFound(f"{path}: there is no such store; name the file of a Phasegate store")
    from phasegate.stores.sqlite import SQLiteStore

    return mirrored_in(partial(SQLiteStore, path))


def shown(url: str, /) -> str:
    """Return a URL without secrets.

    Raises BadInput for an address of PostgreSQL that cannot be read.
    """
    from phasegate.postgresql.address import parse_address

    return parse_address(url).shown if url.startswith("postgresql:") else url


@contextmanager
def open_tables(url: str, /) -> Iterator[Reader]:
    """Open a read-only snapshot of the tables at a URL.

    Raises BadInput, NotFound, Unavailable.
    """
    from phasegate.warehouses.servers import FORMS, SCHEMES, open_server

    if url.startswith(SCHEMES):
        with closing(open_server(url)) as warehouse, warehouse.snapshot() as reader:
            yield reader
        return
    from phasegate.warehouses.duckdb.warehouse import read_only

    forms = {"duckdb": "duckdb:///PATH", **FORMS}
    with read_only(_place_of(url, what="--warehouse", forms=forms)[1]) as reader:
        yield reader


def _place_of(url: str, *, what: str, forms: Mapping[str, str]) -> tuple[str, Path]:
    scheme, slashes, path = url.partition(":///")
    if scheme not in forms or not slashes or not path:
        shown = f"{url.partition(':')[0]}:…" if "@" in url else url
        raise BadInput(f"{what} {shown!r}: this version reads {' and '.join(forms.values())}; export the rest to files")
    return scheme, Path(path)


def functions_of(plan: Plan) -> Mapping[str, PythonStep]:
    """Import the functions of a plan's Python steps.

    Raises BadInput naming the step that cannot be found.
    """
    steps = [step for step in plan.steps.values() if step.kind == "python"]
    return {step.python: _imported(step.python, where=f"step {step.name}: python") for step in steps}


def dates_of(plan: Plan) -> Dates | None:
    """Import the function of a plan's calendar, None without one.

    Raises BadInput when it cannot be found.
    """
    return None if plan.calendar is None else _imported(plan.calendar, where="calendar")


def _imported(reference: str, *, where: str) -> Callable[..., Any]:
    module, _, name = reference.partition(":")
    try:
        return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]
    except (ImportError, AttributeError) as e:
        raise BadInput(f"{where} = {reference!r} cannot be imported: {e}") from None
