"""Read the fenced code blocks of a page and run them, as its readers would.

`python` blocks of a page run in order in one namespace. In `console` blocks each line after `$ ` is a command: it must
exit 0 (or N with `# exit N` at its end), and each line below it must appear in its output; a line `...` stands for any.
`toml` blocks that hold a plan are loaded. Blocks with `file=NAME` are written to that file, not run. The info string
`no-run` exempts a block; other languages are not run. What a page has started is ended by the numbers in its `*.pid`.
"""

import os
import re
import signal
import subprocess
import sys
from codeop import compile_command
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

FENCE = re.compile(r"(?P<indent> *)(?P<ticks>`{3,}|~{3,})(?P<info>[^`]*)")
EXIT = re.compile(r"\s#\s*exit (\d+)\s*$")
LINK = re.compile(r"\]\((?!<?[a-z+]+:)<?([^)\s>]*)>?(?:\s+\"[^\"]*\")?\)")
HEADING = re.compile(r"#{1,6}\s+(.*?)\s*#*$")
COMMAND_TIMEOUT_S = 180


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, whether it is to be run, its text, the line where that begins, and its file."""

    language: str
    runs: bool
    text: str
    line: int
    file: str = ""


def split(page: str) -> tuple[list[Block], str]:
    """Return the blocks of a page, and the page with the blocks' lines emptied (for links and headings)."""
    blocks: list[Block] = []
    prose: list[str] = []
    lines = page.splitlines()
    at = 0
    while at < len(lines):
        opened = FENCE.fullmatch(lines[at])
        if not opened:
            prose.append(lines[at])
            at += 1
            continue
        start = at + 1
        at = start
        while at < len(lines) and lines[at].strip() != opened["ticks"]:
            at += 1
        assert at < len(lines), f"line {start}: the block is never closed"
        words = opened["info"].split()
        assert words, f"line {start}: a block needs a language (text, if it is none)"
        body = [line.removeprefix(opened["indent"]) for line in lines[start:at]]
        file = next((word.removeprefix("file=") for word in words if word.startswith("file=")), "")
        blocks.append(Block(words[0], "no-run" not in words[1:], "\n".join(body), start + 1, file))
        prose.extend([""] * (at + 1 - (start - 1)))
        at += 1
    return blocks, "\n".join(prose)


def run_page(page: Path, folder: Path) -> None:
    """Run the blocks of a page in order, in `folder`, which must also be the working directory."""
    try:
        run_blocks(page, folder)
    finally:
        end_started(folder)


def end_started(folder: Path) -> None:
    """End the processes that a page has started and has not ended: those whose number is in a file `*.pid`."""
    for file in folder.glob("*.pid"):
        with suppress(ProcessLookupError):
            os.kill(int(file.read_text()), signal.SIGKILL)


def run_blocks(page: Path, folder: Path) -> None:
    """Run the blocks of a page in order."""
    module = ModuleType("docs_page")
    for block in split(page.read_text())[0]:
        where = f"{page.name}:{block.line}"
        if block.language == "python":
            # The empty lines make a traceback name the page's own line.
            code = compile("\n" * (block.line - 1) + block.text, page.name, "exec", dont_inherit=True)
            if block.runs and not block.file:
                exec(code, vars(module))  # noqa: S102 - running the page's code is the test
        elif block.language == "console" and block.runs:
            run_console(block.text, folder, where)
        elif block.language == "toml" and block.runs and re.search(r"^pipeline =", block.text, re.MULTILINE):
            load_plan(block.text)
        if block.file:
            (folder / block.file).write_text(f"{block.text}\n")


def not_pasted(block: str) -> str | None:
    """Return the first line that an interactive Python refuses when the block is pasted and Enter pressed once more.

    There an empty line ends an indented block, and only an empty line does.

    >>> not_pasted("with a:\\n    b()\\nc()")
    'c()'
    >>> not_pasted("with a:\\n    b()\\n\\nc()") is None
    True
    """
    typed = ""
    for line in [*block.splitlines(), ""]:
        typed = f"{typed}{line}\n"
        try:
            whole = compile_command(typed.removesuffix("\n"), symbol="single") is not None
        except SyntaxError:
            return line
        typed = "" if whole or not typed.strip() else typed
    return typed or None


def load_plan(text: str) -> None:
    """Load a plan as a user would; Phasegate's own error says what is wrong."""
    # Here and not above: the rest of this module does not need the product.
    from phasegate import load_plan as load

    load(text)


def run_console(text: str, folder: Path, where: str) -> None:
    """Run each command of a console block and compare exit and output with what the page shows."""
    for command, shown in commands(text):
        wanted = EXIT.search(command)
        code, output = shell(command, folder)
        expected = int(wanted[1]) if wanted else 0
        assert code == expected, f"{where}: exit {code}, not {expected}, from: {command}\n{output}"
        for line in shown:
            assert line in output, f"{where}: not in the output of: {command}\n  {line}\nbut this is:\n{output}"


def commands(text: str) -> list[tuple[str, list[str]]]:
    """Pair each command with the lines shown below it.

    >>> commands("$ a \\\\\\n  b\\nshown\\n...\\n$ c")
    [('a \\\\\\n  b', ['shown']), ('c', [])]
    """
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
            continue
        assert found, f"a console block begins with `$ `, not with: {line}"
        command, shown = found[-1]
        if command.endswith("\\") and not shown:
            found[-1] = (f"{command}\n{line}", shown)
        elif line.strip() not in {"", "..."}:
            shown.append(line.strip())
    return found


def shell(command: str, folder: Path) -> tuple[int, str]:
    """Run one command with this environment's own commands first on PATH; return its exit and all it printed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": path, "NO_COLOR": "1", "COLUMNS": "120"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
    )
    return done.returncode, done.stdout


def broken_links(page: Path) -> list[str]:
    """List the relative links of a page whose file or heading does not exist."""
    targets = LINK.findall(re.sub(r"`[^`\n]*`", "", split(page.read_text())[1]))
    return [target for target in targets if not link_exists(page, target)]


def link_exists(page: Path, target: str) -> bool:
    """Tell whether a relative link leads to a file and, in a page, to a heading."""
    name, _, anchor = target.partition("#")
    file = page.parent / name if name else page
    if not file.exists():
        return False
    return not anchor or file.suffix != ".md" or anchor in anchors(file.read_text())


def anchors(page: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them.

    >>> anchors("# The `fence`, twice!")
    {'the-fence-twice'}
    """
    found = (HEADING.fullmatch(line) for line in split(page)[1].splitlines())
    return {re.sub(r"[^\w\- ]", "", heading[1].lower()).replace(" ", "-") for heading in found if heading}
