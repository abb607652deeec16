"""Real shells and real groups of processes; named pipes keep both sides in step."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from phasegate.errors import BadInput
from phasegate.ports import Ended
from phasegate.processes import LINE_BYTES_MAX, LastLine, SystemShell
from tests.support.real_data import ROOT

GRACE_S = 0.2
CHILD = "sh -c 'echo $$ > started; exec sleep 600' & "
# Holds a pipe open: what reads it sees when the process is gone.
OBSERVED = CHILD.replace("echo", "exec 3>gone; echo")


class Over(Exception):
    """The command must end."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "started")
    os.mkfifo(tmp_path / "gone")
    return tmp_path


def shell(folder: Path, **environment: str) -> SystemShell:
    return SystemShell(folder, environment=environment, grace_s=GRACE_S, look_every_s=0.01)


def run(
    folder: Path, command: str, *, watch: Callable[[], None] = lambda: None, **environment: str
) -> tuple[Ended, str]:
    printed: list[str] = []
    one = shell(folder, PHASEGATE_STATE="/state")
    ended = one.run(command, environment=environment, sink=printed.append, watch=watch)
    return ended, "".join(printed)


def is_alive(number: int) -> bool:
    """Return whether a process runs; one that was not reaped yet does not."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_command_runs_in_its_folder_with_its_variables_and_no_input(folder: Path) -> None:
    ended, printed = run(folder, "pwd; echo $PHASEGATE_STATE $NAME; cat; echo warning >&2; exit 3", NAME="x y")
    assert ended == Ended(3, "/state x y")
    assert set(printed.splitlines()) == {str(folder), "/state x y", "warning"}


def test_what_it_prints_goes_to_standard_error_too(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run(folder, "echo one; echo two >&2")
    out, err = capfd.readouterr()
    assert (out, set(err.splitlines())) == ("", {"one", "two"})


def test_the_last_line_is_the_last_one_that_is_not_blank() -> None:
    last = LastLine()
    assert last.text == ""
    for chunk in (b"first\nro", b"ws=", b"7\n", b"\n  \n"):
        last.add(chunk)
    assert last.text == "rows=7"
    last.add(b"no end of line")
    assert last.text == "no end of line"
    last.add(b"x" * 100_000)
    assert len(last.text) == LINE_BYTES_MAX


def test_a_character_that_arrives_in_two_parts_is_one(folder: Path) -> None:
    ended, printed = run(folder, r"printf 'Don\304'; sleep 0.05; printf '\215i\304\207 \377\n'")
    assert printed == "Don\u010di\u0107 \\xff\n"
    assert ended.last_line == "Don\u010di\u0107 \\xff"


def test_when_the_watch_raises_the_whole_group_is_ended(folder: Path) -> None:
    numbers: list[int] = []

    def watch() -> None:
        if not numbers:
            numbers.append(int((folder / "started").read_text()))
        raise Over

    with pytest.raises(Over):
        run(folder, CHILD + "trap '' TERM; wait; sleep 600", watch=watch)
    assert not is_alive(numbers[0])


def test_one_that_ignores_sigterm_is_killed_after_the_grace(folder: Path) -> None:
    numbers: list[int] = []

    def watch() -> None:
        if not numbers:
            numbers.append(int((folder / "started").read_text()))
        raise Over

    with pytest.raises(Over):
        run(folder, "trap '' TERM; echo $$ > started; while :; do sleep 0.05; done", watch=watch)
    assert not is_alive(numbers[0])


def test_what_a_command_leaves_running_ends_with_it(folder: Path) -> None:
    ended, _ = run(folder, CHILD + "read number < started; echo $number")
    assert ended.code == 0
    assert not is_alive(int(ended.last_line))


def test_a_command_that_was_ended_by_a_signal_says_which(folder: Path) -> None:
    assert run(folder, "kill -KILL $$")[0].code == -signal.SIGKILL


def test_a_folder_that_is_gone_and_an_environment_that_is_too_large_are_refused(folder: Path) -> None:
    with pytest.raises(BadInput, match=r"the command cannot be started in .*/nowhere: No such file or directory"):
        run(folder / "nowhere", "true")
    with pytest.raises(BadInput, match="Argument list too long"):
        run(folder, "true", LARGE="x" * 10_000_000)


def test_a_killed_worker_leaves_nothing_running(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from phasegate.processes import SystemShell\n"
        "SystemShell(Path.cwd(), environment={}, grace_s=0.2).run(sys.argv[1], environment={}, sink=int, "
        "watch=lambda: print('running', flush=True))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, OBSERVED + "wait"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    opened: list[int] = []
    holding = threading.Thread(target=lambda: opened.append(os.open(folder / "gone", os.O_RDONLY)))
    holding.start()
    (folder / "started").read_text()
    holding.join(10)
    assert process.stdout is not None
    assert process.stdout.readline() == b"running\n"
    process.kill()
    process.communicate(timeout=10)
    assert os.read(opened[0], 1) == b"", "the end of the pipe: the grandchild is gone"
    os.close(opened[0])
