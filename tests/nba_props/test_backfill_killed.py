"""`phasegate backfill` on a terminal: its bar, and what is left when its process is killed and started again."""

import errno
import os
import pty
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path

import pytest

from benchmarks.rebuilt import builds, contents, stale, writes
from nba_props import PLAN
from nba_props.replay.runner import Runner
from nba_props.replay.tally import Replay
from nba_props.sources.batches import split_games
from nba_props.sources.synthetic import SyntheticSource
from phasegate import Pipeline, connect

pytestmark = pytest.mark.slow

FIRST, DRIFTED = date(2026, 2, 1), (date(2026, 2, 4), date(2026, 2, 5))
COMMAND = ("backfill", "--from", "2026-02-04", "--to", "2026-02-05", "--cascade")
BAR = re.compile(r"\r\[([#.]{24})\] (\d) of (\d) dates, (\d{4}-\d\d-\d\d)")
READ_BYTES = 4096
LEASES = {"PHASEGATE_LEASE_TTL_S": "3"}


def calm(state: Path) -> Replay:
    with closing(Runner(SyntheticSource(), state=state)) as runner:
        runner.run(FIRST, FIRST)
        return runner.run(*DRIFTED)


def late(state: Path) -> None:
    """Play the dates with the first one late: so late that the others are not built again by themselves."""
    source = SyntheticSource()
    early, _ = split_games(source.batch(FIRST), early=2)
    with closing(Runner(source, state=state)) as runner:
        runner.play(FIRST, [early])
        runner.run(*DRIFTED)
        runner.come_late(FIRST, source.batch(FIRST))


class Terminal:
    """A command that believes that a person sits before it."""

    def __init__(self, process: "subprocess.Popen[bytes]", screen: int) -> None:
        self.process, self._screen, self.told = process, screen, ""

    def read(self) -> bool:
        """Read what it has told since; False when it has ended."""
        try:
            told = os.read(self._screen, READ_BYTES)
        except OSError as e:
            assert e.errno == errno.EIO  # noqa: PT017  what Linux says of a terminal that nobody has open
            return False
        self.told += told.decode()
        return bool(told)

    def wait(self) -> int:
        while self.read():
            pass
        return self.process.wait()

    def bars(self) -> list[tuple[str, ...]]:
        return BAR.findall(self.told)


@contextmanager
def on_a_terminal(state: Path) -> Iterator[Terminal]:
    screen, theirs = pty.openpty()
    command = [sys.executable, "-m", "phasegate", "--plan", str(PLAN), "--state", str(state), *COMMAND]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=theirs,
                               env={**os.environ, **LEASES})  # fmt: skip
    os.close(theirs)
    try:
        yield Terminal(process, screen)
    finally:
        process.kill()
        process.wait()
        os.close(screen)


def has_begun(pipeline: Pipeline, _: Terminal) -> bool:
    return bool(pipeline.ports.store.scan("backfill:"))


def has_done_a_date(_: Pipeline, terminal: Terminal) -> bool:
    return terminal.read() and bool(terminal.bars())


def is_writing(pipeline: Pipeline, _: Terminal) -> bool:
    return any("nba_precompute" in lease.key for lease in pipeline.views.leases())


MOMENTS: tuple[Callable[[Pipeline, Terminal], bool], ...] = (has_begun, has_done_a_date, is_writing)


def test_killed_again_and_again_and_started_again_it_ends_as_if_undisturbed_and_does_nothing_twice(
    tmp_path: Path,
) -> None:
    wanted, state, bars = calm(tmp_path / "calm"), tmp_path / "late", []
    late(state)
    with closing(connect(PLAN, state=state)) as pipeline:
        before = writes(pipeline)
        for is_time in MOMENTS:
            with on_a_terminal(state) as terminal:
                while not is_time(pipeline, terminal):
                    assert terminal.process.poll() is None, f"it was over before it {is_time.__name__}"
                terminal.process.send_signal(signal.SIGKILL)
                assert terminal.wait() == -signal.SIGKILL
            bars.append(terminal.bars())
        # what it held nobody can take before its lease runs out: it is waited for
        with on_a_terminal(state) as terminal:
            assert terminal.wait() == 0, terminal.told
        bars.append(terminal.bars())
        after = writes(pipeline)
        tables = {name: (table.rows, table.digest) for name, table in pipeline.tables().items()}
    built = Counter(write.result for write in after[len(before) :])
    assert {name: tables[name] for name in wanted.tables} == wanted.tables
    assert set(built.values()) == {1}
    assert set(built) == stale(pipeline.plan, builds(pipeline.plan, before).last, held=contents(after))
    assert Counter(day for _, day in built) == {"2026-02-04": 7, "2026-02-05": 7}
    # a bar for what is left: one of two dates, then the other
    assert bars == [
        [],
        [("############............", "1", "2", "2026-02-04")],
        [],
        [("########################", "1", "1", "2026-02-05")],
    ]
