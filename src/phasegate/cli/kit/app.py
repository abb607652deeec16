"""The context of a command: its plan, and its pipeline or documents.

Each is opened when it is first used.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from phasegate.cli.kit.output import data_only
from phasegate.errors import NotFound

if TYPE_CHECKING:
    from phasegate.answers.times import Times
    from phasegate.audit import About, Act
    from phasegate.base.keys import Run
    from phasegate.explain.overview import Overview
    from phasegate.pipeline import Pipeline
    from phasegate.plan.model import Plan
    from phasegate.ports import Clock, Observer, Ports, ReadPorts
    from phasegate.settings import Settings

FINE, FINDINGS, FAILED, STOPPED = 0, 1, 2, 130
COMMAND_VARIABLES = ("PHASEGATE_RUN", "PHASEGATE_STEP", "PHASEGATE_DATE", "PHASEGATE_MODE", "PHASEGATE_TOKEN")


class App:
    """One invocation: the global options, and what they select.

    ``words``: all arguments.
    """

    def __init__(self, clock: "Clock | None" = None, words: "Sequence[str]" = ()) -> None:
        self._words = words
        self.plan_file: str | None = None
        self.state: str | None = None
        self._clock = clock

    @property
    def clock(self) -> "Clock":
        """Return the clock: the machine's, or a test's."""
        from phasegate.system import SystemClock

        return self._clock or SystemClock()

    def settings(self) -> "Settings":
        """Return the settings; the global options come first.

        Raises BadInput.
        """
        from pathlib import Path

        from phasegate.settings import load_settings
        from phasegate.wiring import SETTINGS_FILE

        overrides = {"plan": self.plan_file, "state": self.state}
        # What is set for the command of a step is no setting: that command may be a Phasegate command again.
        environ = {name: value for name, value in os.environ.items() if name not in COMMAND_VARIABLES}
        return load_settings(environ, file=Path(SETTINGS_FILE), overrides=overrides)

    def plan(self, path: str | None = None) -> "Plan":
        """Return the plan, from ``path`` if one is given.

        Raises BadInput.
        """
        from phasegate.wiring import read_plan

        return read_plan(path if path is not None else self.settings().plan)

    def times(self, plan: "Plan") -> "Times":
        """Return the printer of times, in the pipeline's zone."""
        from phasegate.answers.times import Times

        return Times(plan.timezone, now=self.clock.now())

    def run(self, plan: "Plan", text: str, /) -> "Run":
        """Return the run that an argument names.

        The mode may be left out where the plan has one. Raises BadInput.
        """
        from phasegate.answers.runs import run_of

        return run_of(plan, text)

    def overview(self) -> "tuple[Plan, Overview]":
        """Return the plan and a view of its documents.

        Raises as ``reading`` does.
        """
        from phasegate.explain.overview import Overview

        plan, ports = self.reading()
        return plan, Overview(plan, ports)

    def reading(self) -> "tuple[Plan, ReadPorts]":
        """Return the plan, and ports that only read its documents.

        Nothing is created; there is no bus and no warehouse. Raises NotFound when there is no state yet.
        """
        from phasegate.wiring import open_reading

        plan, settings = self._existing()
        return plan, open_reading(settings, clock=self._clock)

    @contextmanager
    def writing(self) -> "Iterator[tuple[Plan, ReadPorts]]":
        """Open the plan and its documents for the block.

        The state is created if there is none; there is no bus and no warehouse.
        """
        from contextlib import closing

        from phasegate.wiring import create_state, open_reading

        settings, plan = self.settings(), self.plan()
        create_state(settings)
        ports = open_reading(settings, clock=self._clock)
        with closing(ports.store):
            yield plan, ports

    def ports(self) -> "tuple[Plan, Ports]":
        """Return the plan and all ports; the warehouse stays closed.

        For services that need all ports, though they only read. Raises NotFound when there is no state yet.
        """
        from phasegate.observe.counting import CountingObserver
        from phasegate.wiring import open_ports

        plan, settings = self._existing()
        return plan, open_ports(settings, pipeline=plan.pipeline, clock=self._clock, observer=CountingObserver())

    def _existing(self) -> "tuple[Plan, Settings]":
        settings = self.settings()
        plan = self.plan()
        if not settings.has_store:
            raise NotFound(f"there is no state at {settings.store_path}; name its directory with --state, "
                           "or open a run: phasegate begin RUN")  # fmt: skip
        return plan, settings

    @staticmethod
    def find_modules() -> None:
        """Add the working directory to the module path, as ``python -m`` does.

        Python steps are imported from there.
        """
        from pathlib import Path

        here = str(Path.cwd())
        if here not in sys.path:
            sys.path.insert(0, here)

    @contextmanager
    def pipeline(self, observer: "Observer | None" = None) -> "Iterator[Pipeline]":
        """Open the pipeline for the block."""
        from phasegate.cli.kit.tally import Tally
        from phasegate.wiring import connect

        settings = self.settings()
        self.find_modules()
        observer = observer or Tally(level=settings.log_level, form=settings.log_format)
        with data_only():
            pipeline = connect(settings=settings, clock=self._clock, observer=observer)
            try:
                yield pipeline
            finally:
                pipeline.close()

    @contextmanager
    def acting(self, pipeline: "Pipeline", about: "About | None" = None) -> "Iterator[Act]":
        """Record around the block that this command changes something.

        In the audit log, with who gave the command. Raises what the store does if it cannot be recorded.
        """
        import shlex

        from phasegate.audit import About, AuditLog
        from phasegate.system import user_name

        ctx = click.get_current_context()
        while ctx.parent is not None and ctx.parent.parent is not None:
            ctx = ctx.parent
        words = [*self._words]
        given = words[words.index(ctx.info_name) :] if ctx.info_name in words else [ctx.info_name or ""]
        command = shlex.join(["phasegate", *given])
        with AuditLog(pipeline.plan.pipeline, pipeline.ports).acting(
            command, by=user_name(), via="command line", about=about or About()
        ) as act:
            yield act


pass_app = click.make_pass_decorator(App)
