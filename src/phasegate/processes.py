"""Runs commands in processes, and passes on what they print.

A step's command runs through a shell, in a process group of its own: when it must end, all that it started ends with
it, also when this process is killed. It refuses to judge an outcome: the caller is given the exit code.
"""

import codecs
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from phasegate.errors import BadInput
from phasegate.ports import Ended, Sink

CHUNK_BYTES = 65_536
LINE_BYTES_MAX = 4_096
GRACE_S = 5.0
LOOK_EVERY_S = 0.1
READ_OUT_S = 1.0
SHELL = ("/bin/sh", "-c")
# Becomes the command's shell when it is given a word; at the end of its input without one, we were killed.
FIRST = 'read -r word && exec /bin/sh -c "$1" < /dev/null'
# Ends the group that it is given when its input ends without a further word: then we were killed.
GUARD = 'read -r group && { read -r word || { kill -s TERM -- "-$group"; sleep "$1"; kill -s KILL -- "-$group"; }; }'


class LastLine:
    """Keeps the last line that is not blank, cut to LINE_BYTES_MAX."""

    def __init__(self) -> None:
        self._ended, self._open = b"", b""

    def add(self, chunk: bytes, /) -> None:
        """Take the next part of the output."""
        *ended, rest = chunk.split(b"\n")
        for line in ended:
            whole, self._open = self._open + line[:LINE_BYTES_MAX], b""
            self._ended = whole if whole.strip() else self._ended
        self._open = (self._open + rest[:LINE_BYTES_MAX])[:LINE_BYTES_MAX]

    @property
    def text(self) -> str:
        """Return the line, "" for none."""
        line = self._open if self._open.strip() else self._ended
        return line.decode(errors="backslashreplace").strip()


def pass_on(stream: IO[bytes], /, *, out: Callable[[bytes], object], sink: Sink) -> str:
    """Pass a stream on as it comes until it ends; return its last line.

    ``out`` takes the bytes, ``sink`` the text: whole lines, so that those of two streams are not mixed, unless a line
    is longer than CHUNK_BYTES.
    """
    last, decoder, begun = LastLine(), codecs.getincrementaldecoder("utf-8")("backslashreplace"), ""
    while chunk := os.read(stream.fileno(), CHUNK_BYTES):
        out(chunk)
        text = begun + decoder.decode(chunk)
        end = len(text) if len(text) > CHUNK_BYTES else text.rfind("\n") + 1
        sink(text[:end])
        begun = text[end:]
        last.add(chunk)
    sink(begun + decoder.decode(b"", final=True))
    return last.text


def to_stderr(chunk: bytes, /) -> None:
    """Write to our standard error, if that can be done.

    A command must not wait for ever because nothing reads what it prints.
    """
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.buffer.write(chunk)
        sys.stderr.flush()


def locked(sink: Sink, /) -> Sink:
    """Return a sink that several threads may use."""
    lock = threading.Lock()

    def add(text: str, /) -> None:
        with lock:
            sink(text)

    return add


class SystemShell:
    """Runs the commands of steps through ``/bin/sh``, in one folder."""

    def __init__(
        self, folder: Path, *, environment: Mapping[str, str], grace_s: float = GRACE_S,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:  # fmt: skip
        self._folder, self._environment = folder, dict(environment)
        self._grace_s, self._look_every_s = grace_s, look_every_s

    def run(self, command: str, /, *, environment: Mapping[str, str], sink: Sink, watch: Callable[[], None]) -> Ended:
        """Run a command to its end; see ``Shell``.

        What it prints also goes to our standard error. Its group is sent SIGTERM, and SIGKILL after ``grace_s``.
        """
        given = {**os.environ, **self._environment, **environment}
        lines, add = dict[str, str](), locked(sink)
        with ExitStack() as stack:
            readers: list[threading.Thread] = []
            stack.callback(_join, readers)  # after the group's end: what is left of it holds the streams open
            process = stack.enter_context(self._group(command, given))
            assert process.stdout is not None
            assert process.stderr is not None
            for name, stream in (("out", process.stdout), ("err", process.stderr)):
                readers.append(threading.Thread(target=_read, args=(stream, name, lines, add), daemon=True))
                readers[-1].start()
            code = self._wait(process, watch)
        return Ended(code, lines.get("out", ""))

    @contextmanager
    def _group(self, command: str, environment: Mapping[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
        """Run a command during the block; end what is left of its group then.

        The guard is there before the command is: the first shell waits for a word.
        """
        with _start((*SHELL, GUARD, "phasegate-guard", str(self._grace_s)), output=subprocess.DEVNULL) as guard:
            try:
                process = _start((*SHELL, FIRST, "phasegate", command), folder=self._folder, environment=environment)
            except OSError as e:
                raise BadInput(f"the command cannot be started in {self._folder}: {e.strerror or e}") from None
            try:
                _write(guard, f"{process.pid}\n")
                _write(process, "go\n", last=True)
                yield process
            finally:
                self._end(process)
                _write(guard, "ended\n", last=True)

    def _wait(self, process: "subprocess.Popen[bytes]", watch: Callable[[], None]) -> int:
        while True:
            try:
                return process.wait(self._look_every_s)
            except subprocess.TimeoutExpired:
                watch()

    def _end(self, process: "subprocess.Popen[bytes]") -> None:
        """End what is left of the group, and wait for the shell."""
        until = time.monotonic() + self._grace_s
        _send(process.pid, signal.SIGTERM)
        while _is_there(process) and time.monotonic() < until:
            time.sleep(self._look_every_s / 10)
        _send(process.pid, signal.SIGKILL)
        process.wait()


def _start(
    words: Sequence[str], *, folder: Path | None = None, environment: Mapping[str, str] | None = None,
    output: int = subprocess.PIPE,
) -> "subprocess.Popen[bytes]":  # fmt: skip
    """Start a process in a session of its own, which reads what we write."""
    return subprocess.Popen(  # noqa: S603  the command of the user's own plan, or the guard
        words, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=output, stderr=output, start_new_session=True
    )


def _write(process: "subprocess.Popen[bytes]", text: str, *, last: bool = False) -> None:
    """Write to a process, which may have ended."""
    assert process.stdin is not None
    with suppress(OSError):
        process.stdin.write(text.encode())
        process.stdin.flush()
    if last:
        with suppress(OSError):
            process.stdin.close()


def _read(stream: IO[bytes], name: str, lines: dict[str, str], sink: Sink) -> None:
    with stream:
        lines[name] = pass_on(stream, out=to_stderr, sink=sink)


def _join(readers: Sequence[threading.Thread]) -> None:
    """Wait until all is read; a process that left the group may never end."""
    for reader in readers:
        reader.join(READ_OUT_S)


def _is_there(process: "subprocess.Popen[bytes]") -> bool:
    """Return whether a process of the group is left; reap its leader."""
    process.poll()
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # what is left is another user's
        return False
    return True


def _send(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
