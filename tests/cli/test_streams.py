"""What a command does when it is stopped, cannot write, or is given text that is none."""

import codecs
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.support.commands import RUN, Night
from tests.support.real_data import ROOT

LONG = "SELECT CAST($run_date AS DATE) AS game_date, 'p' AS player, CAST(count(*) AS DOUBLE) AS points"
LONG += " FROM range(3000000) a, range(3000000) b WHERE a.range * 7 % 11 = b.range % 13"
NOISY = """\
import os, subprocess, threading
print("imported")

def build(run):
    print("printed")
    os.write(1, b"written\\n")
    subprocess.run(["echo", "echoed"])
    thread = threading.Thread(target=print, args=("threaded",))
    thread.start()
    thread.join()
    return run.read("SELECT game_date, player, points FROM nba_raw.gamebook")
"""


def phasegate(night: Night, arguments: str, *, to: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    command = f"exec {sys.executable} -m phasegate {arguments} {to}"
    return subprocess.run(
        ["bash", "-c", command], cwd=night.folder, capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), **environment},
    )  # fmt: skip


def test_ctrl_c_inside_a_query_ends_with_130_and_counts_no_failure(night: Night) -> None:
    night.whole()
    (night.folder / "player_game.sql").write_text(LONG)
    process = subprocess.Popen(
        [sys.executable, "-m", "phasegate", "rerun", RUN, "--step", "player_game"], cwd=night.folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    until = time.monotonic() + 30
    while night("leases").out == "No lease is held.\n":
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
    for _ in range(20):  # the query begins a moment after the lease is taken
        night("leases")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err.strip()) == (130, "", "phasegate: stopped")
    assert night("logs", RUN, "--json").json["attempts"] == []
    assert night("leases").out == "No lease is held.\n"


@pytest.mark.parametrize("after_s", [0.05, 0.1, 0.2, 0.4])
def test_ctrl_c_while_the_program_starts_shows_no_traceback_of_ours(after_s: float, night: Night) -> None:
    code = "import phasegate.cli, os, signal, threading\n"
    code += f"threading.Timer({after_s}, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
    code += "import sys; sys.argv = ['phasegate', 'worker', '--until-idle']\nphasegate.cli.main()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=night.folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, timeout=60,
    )  # fmt: skip
    assert done.returncode in (0, 130), done.stderr
    assert "Traceback" not in done.stderr


def test_what_a_step_prints_in_any_way_never_mixes_with_json(night: Night) -> None:
    plan = (night.folder / "plan.toml").read_text()
    columns = '{ game_date = "DATE", player = "VARCHAR", points = "DOUBLE" }'
    python = f'python = "noisy_steps:build"\ncolumns = {columns}'
    night.scrape(3)
    night("complete", "odds", "--run", RUN, "--rows", "7")
    (night.folder / "plan.toml").write_text(plan.replace('sql = "player_game.sql"', python))
    (night.folder / "noisy_steps.py").write_text(NOISY)
    done = phasegate(night, "worker --until-idle --json", to="2>err.txt")
    assert done.stdout.startswith("{\n"), done.stdout
    told = (night.folder / "err.txt").read_text()
    assert all(word in told for word in ("imported", "printed", "written", "echoed", "threaded")), told
    assert done.stdout.endswith("}\n")


@pytest.mark.parametrize(
    "arguments", ["status --json", "status", "--help", "status --help", "--version", f"begin {RUN}"]
)
def test_a_full_disk_behind_the_output_is_one_line_and_exit_2(arguments: str, night: Night) -> None:
    night("begin", RUN)
    done = phasegate(night, arguments, to="> /dev/full")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert done.stderr.startswith("phasegate: standard output cannot be written: No space left on device")
    assert phasegate(night, "status", to="2> /dev/full").returncode == 0
    assert phasegate(night, "nope", to="2> /dev/full").returncode == 2
    closed = phasegate(night, "status", to=">&-")
    assert (closed.returncode, closed.stderr.count("\n")) == (2, 1)


@pytest.mark.parametrize(
    "arguments",
    [["why", "{}"], ["pause", RUN, "--reason", "{}"], ["complete", "odds", "--run", RUN, "--error", "{}"],
     ["--state", "{}", "status"], ["{}"], ["begin", RUN, "--step", "{}", "--", "true"]],
    ids=" ".join,
)  # fmt: skip
def test_an_argument_that_is_no_text_is_one_line(arguments: list[str], night: Night) -> None:
    night("begin", RUN)
    done = night(*(one.format("caf\udce9") for one in arguments))
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert "'caf\\\\udce9' is not UTF-8" in done.err


def test_half_a_surrogate_pair_in_a_message_is_one_line(night: Night) -> None:
    (night.folder / "message.json").write_text('{"step": "odds", "run": "' + RUN + '", "execution_id": "\\ud800"}')
    done = night("complete", "--message", "message.json")
    assert "unexpected" not in done.err
    assert done.err.count("\n") <= 1


@pytest.mark.parametrize("name", ["plan.toml", "player_game.sql", "phasegate.toml", "message.json"])
def test_a_mark_at_the_beginning_of_a_file_is_skipped_and_utf_16_is_named(name: str, night: Night) -> None:
    file = night.folder / name
    if name == "phasegate.toml":
        file.write_text("[phasegate]\n")
    if name == "message.json":
        file.write_text('{"step": "odds", "run": "' + RUN + '", "rows": 3}')
    text = file.read_text()
    command = ["complete", "--message", name] if name == "message.json" else ["begin", RUN]
    file.write_bytes(codecs.BOM_UTF8 + text.encode())
    assert night(*command).code == 0
    for raw in (text.encode("utf-16"), text.encode("utf-16-be"), b"\xff\xfea", b"caf\xe9"):
        file.write_bytes(raw)
        done = night(*command)
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
        assert name in done.err
        assert "save it as UTF-8" in done.err
