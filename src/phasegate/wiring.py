"""Puts adapters behind ports, as the settings say. The only module that knows every adapter."""

import importlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from phasegate.buses.local import LocalBus
from phasegate.buses.wake import WakeSocket
from phasegate.core.plan import Plan
from phasegate.core.plan_toml import load_plan
from phasegate.errors import BadInput
from phasegate.observe import LogObserver
from phasegate.ports import Clock, Observer, Ports
from phasegate.service.almanac import Dates
from phasegate.service.builder import PythonStep
from phasegate.service.pipeline import Pipeline
from phasegate.settings import Settings, load_settings
from phasegate.stores.sqlite import SQLiteStore
from phasegate.system import SystemClock, ThreadBackground, new_id
from phasegate.warehouses.duckdb import DuckDBWarehouse

SETTINGS_FILE = "phasegate.toml"


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
    """Open a pipeline: its plan (a path or a loaded one) on the ports that the settings name.

    Settings come from ``phasegate.toml``, then ``PHASEGATE_*``, then the keyword arguments, such as ``state``.
    ``wrap`` may put something round the ports: faults, metrics. ``dates`` stands in for the plan's calendar.
    Close it when done: ``with closing(connect())``.

    Raises BadInput for a wrong plan or setting, Unavailable when a store cannot be used.
    """
    if settings is None:
        settings = load_settings(os.environ, file=Path(SETTINGS_FILE), overrides=overrides)
    if not isinstance(plan, Plan):
        plan = read_plan(Path(plan) if plan is not None else settings.plan)
    ports = open_ports(settings, pipeline=plan.pipeline, clock=clock, observer=observer)
    if wrap is not None:
        ports = wrap(ports)
    return Pipeline(
        plan,
        ports,
        warehouse_name=settings.warehouse_name,
        ttl_s=settings.lease_ttl_s,
        heartbeat_s=settings.heartbeat_s,
        functions=functions_of(plan),
        dates=dates or dates_of(plan),
    )


def read_plan(path: Path, /) -> Plan:
    """Read a plan and the SQL files it names, which stand relative to it. Raises BadInput."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BadInput(f"{path}: there is no such plan; name one with --plan, or PHASEGATE_PLAN") from None
    except (OSError, UnicodeDecodeError) as e:
        raise BadInput(f"{path}: cannot be read as a plan: {e}") from None
    return load_plan(text, files=lambda name: (path.parent / name).read_text(encoding="utf-8"), name=path.name)


def open_ports(
    settings: Settings, *, pipeline: str, clock: Clock | None = None, observer: Observer | None = None
) -> Ports:
    """Return the five ports, on SQLite, documents and DuckDB."""
    try:
        settings.state.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise BadInput(f"state directory {settings.state}: {e.strerror}; name another with PHASEGATE_STATE") from None
    clock = clock or SystemClock()
    json = {"auto": None, "json": True, "text": False}[settings.log_format]
    observer = observer or LogObserver(level=settings.log_level, json=json)
    store = SQLiteStore(settings.store_path)
    wake = WakeSocket(settings.state / "wake", clock=clock, poll_s=settings.poll_s)
    return Ports(
        store=store,
        bus=LocalBus(store, clock, pipeline=pipeline, wake=wake, observer=observer, visibility_s=settings.visibility_s),
        warehouse=DuckDBWarehouse(
            settings.warehouse_path, lock_timeout_s=settings.lock_timeout_s, hold_ms=settings.hold_ms
        ),
        clock=clock,
        observer=observer,
        background=ThreadBackground(observer),
        ids=new_id,
    )


def functions_of(plan: Plan) -> Mapping[str, PythonStep]:
    """Import the functions of a plan's Python steps. Raises BadInput naming the step that cannot be found."""
    steps = [step for step in plan.steps.values() if step.kind == "python"]
    return {step.python: _imported(step.python, where=f"step {step.name}: python") for step in steps}


def dates_of(plan: Plan) -> Dates | None:
    """Import the function of a plan's calendar, None without one. Raises BadInput when it cannot be found."""
    return None if plan.calendar is None else _imported(plan.calendar, where="calendar")


def _imported(reference: str, *, where: str) -> Callable[..., Any]:
    module, _, name = reference.partition(":")
    try:
        return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]
    except (ImportError, AttributeError) as e:
        raise BadInput(f"{where} = {reference!r} cannot be imported: {e}") from None
