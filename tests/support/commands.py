"""A small pipeline on SQLite and DuckDB, a clock that stands still, and the command line as a function."""

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from phasegate import Pipeline, connect
from phasegate.bus import Message
from phasegate.cli import run
from tests.support.printed import check_printed
from tests.support.real_data import ROOT

# 4 February 2026, 08:12 in New York.
MORNING = 1_770_210_720.0
HOUR = 3600.0
RUN = "2026-02-03.overnight"

PLAN = """\
pipeline = "nba"
timezone = "America/New_York"

[phase.raw]

[phase.analytics]
after = "raw"
modes.overnight = { expect = "*", critical = ["player_game"], deadline = "10:00 +1d" }

[phase.precompute]
after = "analytics"

[step.gamebook]
phase = "raw"
external = true
table = "nba_raw.gamebook"
key = ["game_date", "player"]
partition = "game_date"
version = "updated"
columns = { game_date = "DATE", player = "VARCHAR", points = "DOUBLE", updated = "BIGINT" }

[step.odds]
phase = "raw"
external = true

[step.player_game]
phase = "analytics"
needs = ["raw.gamebook"]
sql = "player_game.sql"
table = "nba_analytics.player_game"
key = ["game_date", "player"]
partition = "game_date"
attempts_max = 1

[step.report]
phase = "precompute"
needs = ["analytics.player_game"]
external = true
"""
SQL = "SELECT game_date, player, points FROM nba_raw.gamebook WHERE game_date = $run_date"


class StillClock:
    """Time moves when it is told to, and by sleeping."""

    def __init__(self) -> None:
        self.at = MORNING

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float, /) -> None:
        self.at += seconds


@dataclasses.dataclass(frozen=True)
class Done:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Night:
    """The pipeline in a folder of its own."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.clock, self._capsys = folder, StillClock(), capsys
        (folder / "plan.toml").write_text(PLAN)
        (folder / "player_game.sql").write_text(SQL)

    def __call__(self, *arguments: str) -> Done:
        """Run a command in this process; what it prints with ``--json`` must be as its schema says."""
        self._capsys.readouterr()
        code = run(arguments, clock=self.clock)
        told = self._capsys.readouterr()
        check_printed(arguments, told.out)
        return Done(code, told.out, told.err)

    @classmethod
    def empty(cls, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> "Night":
        """Make the folder the working directory, without settings of the machine's own."""
        monkeypatch.chdir(folder)
        for name in [name for name in os.environ if name.startswith("PHASEGATE_")]:
            monkeypatch.delenv(name)
        return cls(folder, capsys)

    @contextmanager
    def pipeline(self) -> Iterator[Pipeline]:
        with closing(connect(self.folder / "plan.toml", clock=self.clock)) as pipeline:
            yield pipeline

    def scrape(self, rows: int, *, run: str = RUN, version: int = 1) -> None:
        """Write the gamebook's rows and report them."""
        with self.pipeline() as pipeline, pipeline.begin(run, step="gamebook") as step:
            step.write(
                [
                    {"game_date": run[:10], "player": f"p{n}", "points": float(n * version), "updated": version}
                    for n in range(rows)
                ]
            )
            step.complete(rows=rows)

    def sql(self, text: str) -> list[tuple[object, ...]]:
        """Ask, or change, the warehouse behind everybody's back."""
        with closing(duckdb.connect(str(self.folder / ".phasegate" / "warehouse.duckdb"))) as db:
            return db.execute(text).fetchall()

    def whole(self) -> None:
        """Bring the run to its end, step by step, a minute apart."""
        self.scrape(10)
        self.clock.at += 60
        assert self("complete", "odds", "--run", RUN, "--rows", "7").code == 0
        self.clock.at += 60
        assert self("worker", "--until-idle").code == 0
        self.clock.at += 60
        assert self("complete", "report", "--run", RUN, "--rows", "3").code == 0

    def publish(self, body: Mapping[str, object], *, number: str = "m1", topic: str = "nba.completions") -> None:
        """Put a message on the bus."""
        with self.pipeline() as pipeline:
            pipeline.ports.bus.publish(Message(number, topic, body))

    def documents(self) -> dict[str, tuple[object, str]]:
        """Return every document with its version: what nobody may have touched."""
        from phasegate.stores.sqlite import SQLiteStore

        store = SQLiteStore(self.folder / ".phasegate" / "phasegate.db")
        try:
            return {doc.key: (doc.body, doc.version) for doc in store.scan("", limit=10_000)}
        finally:
            store.close()

    def rewrite(self, key: str, **fields: object) -> None:
        """Change fields of a stored document behind everybody's back."""
        from phasegate.stores.sqlite import SQLiteStore

        store = SQLiteStore(self.folder / ".phasegate" / "phasegate.db")
        doc = store.read(key)
        assert doc is not None, key
        store.write(key, {**doc.body, **fields}, due=doc.due, expect=doc.version)
        store.close()

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start a command as a process of its own, on the machine's clock."""
        return subprocess.Popen(
            [sys.executable, "-m", "phasegate", *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
