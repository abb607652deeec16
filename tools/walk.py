"""Count the files that two paths through the code visit, and the moves.

A path is one call, from its start to its return: all that it calls in this thread is on it. Only functions whose file
is below the package's folder count; what lies between them, such as the standard library or msgspec, is looked through.

A file is visited when a function of it is called, or a generator of it is resumed, on the path.
A move is a visit to another file than that of the visit before; the first visit is a move too. So calls that follow
each other in one file are one move, and a return is none: a function that calls two of another file, one after the
other, makes one move, not three.

The two paths, on SQLite and DuckDB in a temporary folder:

- completion to trigger: ``Pipeline.complete`` for the last of three members of a phase. When it returns, the trigger of
  the next phase is on the bus.
- request to committed row: ``Pipeline.work_one`` for the request that follows. When it returns, the step's rows are
  committed, the result is reported, and the request is acknowledged. The phase fires, so its trigger is on the bus.

They are walked twice, each time on new state, and the second walk is counted: what Python loads on first use is not
on it. Equal code gives equal numbers. It uses Phasegate's public names only, so that it runs on older source trees.
"""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import chdir, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from phasegate import Pipeline

ROOT = Path(__file__).resolve().parent.parent
DAY = "2026-02-03"
RUN = f"{DAY}.daily"
PLAN = """
pipeline = "shop"
timezone = "UTC"

[phase.load]
[phase.report]
after = "load"
sends = [{ topic = "mailer", ack = "completion" }]

[step.orders]
phase = "load"
external = true
table = "raw.orders"
key = ["day", "id"]
partition = "day"
write = "replace"
columns = { day = "VARCHAR", id = "INTEGER", amount = "INTEGER" }

[step.refunds]
phase = "load"
external = true
table = "raw.refunds"
key = ["day", "id"]
partition = "day"
write = "replace"
columns = { day = "VARCHAR", id = "INTEGER", amount = "INTEGER" }

[step.rates]
phase = "load"
external = true

[step.totals]
phase = "report"
needs = ["load.orders", "load.refunds", "load.rates"]
sql = "totals.sql"
table = "out.totals"
key = ["day"]
partition = "day"
columns = { day = "VARCHAR", amount = "INTEGER" }
"""
SQL = "SELECT day, sum(amount)::INTEGER AS amount FROM raw.orders WHERE day = $run_date GROUP BY day"
ROW = {"day": DAY, "id": 1, "amount": 3}
RATES: Mapping[str, object] = {
    "step": "rates", "run": RUN, "status": "success", "rows": 1, "execution_id": "first", "sequence": 1,
}  # fmt: skip


class Walk(NamedTuple):
    """Hold the visits of one path in order, never a file twice in a row."""

    visits: tuple[str, ...]

    @property
    def files(self) -> dict[str, int]:
        """Return the moves into each file, in the order of first visits."""
        return dict(Counter(self.visits))


def walk(folder: Path, path: Callable[[], object]) -> Walk:
    """Call ``path`` and return its visits to files below ``folder``.

    ``folder`` is spelled as the files were imported.
    """
    inside = f"{folder}{os.sep}"
    visits: list[str] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        name = frame.f_code.co_filename
        if event != "call" or not name.startswith(inside):
            return
        file = name.removeprefix(inside)
        if visits[-1:] != [file]:
            visits.append(file)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        path()
    finally:
        sys.setprofile(before)
    return Walk(tuple(visits))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the files and moves of both paths; return 0."""
    parser = argparse.ArgumentParser(description="Count the files that two paths through the code visit.")
    parser.add_argument("source", nargs="?", type=Path, default=ROOT / "src", help="a source tree (default: this one)")
    parser.add_argument("--list", action="store_true", help="list the files in order, with the moves into each")
    options = parser.parse_args(arguments)
    folder = imported_from(options.source.resolve())
    for name in [name for name in os.environ if name.startswith("PHASEGATE_")]:
        del os.environ[name]  # a setting could name a store in use
    play(folder)
    walks = play(folder)
    print(f"{'path':<28}{'files':>6}{'moves':>7}")
    for name, walked in walks.items():
        print(f"{name:<28}{len(walked.files):>6}{len(walked.visits):>7}")
        if options.list:
            for file, moves in walked.files.items():
                print(f"  {file:<32}{moves:>7}")
    return 0


def imported_from(source: Path) -> Path:
    """Import phasegate from a source tree and return its folder."""
    if not (source / "phasegate" / "__init__.py").is_file():
        sys.exit(f"walk: {source} holds no phasegate; name the folder that phasegate lies in, such as src")
    sys.path.insert(0, str(source))
    import phasegate

    folder = Path(phasegate.__file__).parent
    assert folder.parent == source, f"phasegate was imported from {folder} before"
    return folder


def play(folder: Path) -> dict[str, Walk]:
    """Return both walks by name, on state that is thrown away."""
    from phasegate import CountingObserver, connect, load_plan

    plan = load_plan(PLAN, files=lambda _: SQL)
    with (
        TemporaryDirectory(prefix="phasegate-walk-") as state,
        chdir(state),  # settings of the folder it is started in do not count
        closing(connect(plan, state=state, observer=CountingObserver())) as pipeline,
    ):
        for step in ("orders", "refunds"):
            with pipeline.begin(RUN, step=step) as run:
                run.write([ROW])
                run.complete()
        check("before the last completion", triggers=0, rows=0, pipeline=pipeline)
        completion = walk(folder, lambda: pipeline.complete(RATES))
        check("after the last completion", triggers=1, rows=0, pipeline=pipeline)
        pipeline.work_one()  # takes the trigger, and asks for the step
        check("before the request", triggers=1, rows=0, pipeline=pipeline)
        request = walk(folder, pipeline.work_one)
        check("after the request", triggers=2, rows=1, pipeline=pipeline)
    return {"completion to trigger": completion, "request to committed row": request}


def check(when: str, *, triggers: int, rows: int, pipeline: "Pipeline") -> None:
    """End with a message unless so many phases fired and so many rows exist."""
    # an older tree, to compare with, has the same views under another name
    views = pipeline.views if hasattr(pipeline, "views") else getattr(pipeline, "overview")  # noqa: B009
    fired = sum(view.generation for view in views.why(RUN))
    tables = pipeline.query("SELECT 1 FROM information_schema.tables WHERE table_name = 'totals'")
    committed = len(pipeline.query("SELECT * FROM out.totals")) if tables else 0
    if (fired, committed) != (triggers, rows):
        sys.exit(f"walk: {when}: {fired} phases fired and {committed} rows, not {triggers} and {rows}; fix the script")


if __name__ == "__main__":
    sys.exit(main())
