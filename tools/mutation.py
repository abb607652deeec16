"""Change the code of gate, write and work, one small change at a time, and list the changes that no test notices.

mutmut makes the mutants: a `<` becomes `<=`, an argument `None`, a `not` goes. It runs each one under the tests that
call the changed function, and its verdicts are read from its folder `mutants/`, which each run writes from scratch.
Three kinds of mutants are left out:

- *typed*: `mypy` refuses it, so it cannot be merged. `make check` runs mypy.
- *logged*: it changes only what is reported to the observer, so to the log.
- *worded*: it changes only the wording of a sentence for people, such as an error's text.

The rest is more than an hour of work for a machine with two cores, so a sample is run: each module gives its share, and
equal seeds draw equal samples of equal code. A mutant that means the same as the code is no gap in the tests. Those
that a person has judged so are listed in `tests/mutants/equivalent.toml`, with the reason, and are not counted.

The exit code is 0 if each package reaches the goal, 1 if one does not, and 2 if mutmut could not run.
"""

import argparse
import ast
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "mutants"
EQUIVALENT = ROOT / "tests" / "mutants" / "equivalent.toml"
PACKAGES = ("gate", "write", "work")
GOAL = 90.0
SAMPLE = 300
MINUTES_MAX = 30
PER_MODULE_MIN = 3
# mutmut writes its mutants, and its map from functions to tests, on the way to the first mutant that it runs; this one
# is called by few tests, and with a pattern in place of its whole name all tests would run once more
FIRST = "phasegate.write.deduplicator.xǁDeduplicatorǁdeduplicate__mutmut_1"
# how mutmut names what it generates: `x_function__mutmut_3`, `xǁClassǁmethod__mutmut_orig`
GENERATED = re.compile(r"x(?:_|ǁ(?P<klass>.+)ǁ)(?P<name>.+)__mutmut_(?P<number>\d+|orig)")
# what mypy says of the way in which a mutant is written (`x and False`, a copied function), not of the change
ARTIFACTS = (
    "has-type",
    "ignore-without-code",
    "no-any-return",
    "no-redef",
    "redundant-expr",
    "unused-ignore",
    "var-annotated",
)
SPINNER = re.compile("[\u2800-\u28ff]")
# the exit codes of a test run, as mutmut keeps them
SURVIVED = {0}
WITHOUT_TEST = {5, 33}
UNFINISHED = {None, 2}


class Mutant(NamedTuple):
    """One change of one function."""

    key: str  # mutmut's name
    file: str  # from the project's folder on
    line: int
    function: str  # gate.phase.Phase.void
    was: str
    now: str

    @property
    def package(self) -> str:
        """The package of the changed function, such as gate."""
        return self.function.partition(".")[0]

    @property
    def module(self) -> str:
        """The module of the changed function, such as gate.phase."""
        return ".".join(self.function.split(".")[:2])


class Judged(NamedTuple):
    """A mutant that a person has found to mean the same as the code."""

    function: str
    was: str
    now: str
    why: str


class Score(NamedTuple):
    """What became of the sampled mutants of one package."""

    mutants: int
    killed: int
    survived: int
    equivalent: int
    unfinished: int

    @property
    def percent(self) -> float:
        """The share of killed mutants, in percent; 100 where none ran."""
        judged = self.killed + self.survived
        return 100.0 * self.killed / judged if judged else 100.0


def mutants_in(source: str, generated: str, *, file: str) -> list[Mutant]:
    """Return the mutants of a file that mutmut generated.

    `source` is the file's text, `generated` mutmut's, `file` the path from the project's folder on, below `src/`.
    """
    module = file.removeprefix("src/").removesuffix(".py").replace("/", ".")
    starts = {name: node.lineno for name, node in functions_in(source)}
    originals: dict[str, list[str]] = {}
    changed: list[tuple[str, str, list[str]]] = []
    lines = generated.splitlines()
    for _, node in functions_in(generated):
        if (match := GENERATED.fullmatch(node.name)) is None:
            continue
        name = f"{match['klass']}.{match['name']}" if match["klass"] else match["name"]
        body = [line.replace(node.name, match["name"]) for line in lines[node.lineno - 1 : node.end_lineno]]
        if match["number"] == "orig":
            originals[name] = body
        else:
            changed.append((f"{module}.{node.name}", name, body))
    found = []
    for key, name, body in changed:
        first, was, now = difference(originals[name], body)
        function = f"{module.removeprefix('phasegate.')}.{name}"
        found.append(Mutant(key, file, starts[name] + first, function, was, now))
    return found


def functions_in(source: str) -> Iterable[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Yield the functions and methods of a module, each with its name, or Class.name."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield f"{node.name}.{inner.name}", inner


def difference(was: Sequence[str], now: Sequence[str]) -> tuple[int, str, str]:
    """Return the offset of the first changed line, and the changed lines before and after, joined and stripped."""
    changes = [code for code in SequenceMatcher(None, was, now, autojunk=False).get_opcodes() if code[0] != "equal"]
    if not changes:
        return 0, "", ""
    (_, start, _, now_start, _), (_, _, stop, _, now_stop) = changes[0], changes[-1]
    return start, joined(was[start:stop]), joined(now[now_start:now_stop])


def joined(lines: Iterable[str]) -> str:
    """Return lines as one, without the spaces at their ends."""
    return " ".join(line.strip() for line in lines)


def is_worded(mutant: Mutant) -> bool:
    """Tell whether a mutant changes only the wording of a sentence, which is a text with a space in it."""
    was, now = mutant.was, mutant.now
    if now.casefold().replace("xx", "") != was.casefold().replace("xx", ""):
        return False
    at = next((place for place, pair in enumerate(zip(was, now, strict=False)) if pair[0] != pair[1]), 0)
    texts = re.finditer(r"\"[^\"]*\"|'[^']*'", was)
    return any(" " in text.group() for text in texts if text.start() <= at < text.end())


def refused_by_types(report: str, generated: Mapping[str, str]) -> set[str]:
    """Return the keys of the mutants in which mypy finds an error that the original does not have.

    `report` is what `mypy --output json` prints; `generated` maps each file to mutmut's text of it.
    """
    found: dict[str, set[tuple[str, int, str]]] = defaultdict(set)
    errors = [json.loads(line) for line in report.splitlines() if line.startswith("{")]
    for file, text in generated.items():
        spans = [node for _, node in functions_in(text) if GENERATED.fullmatch(node.name)]
        for error in (error for error in errors if error["file"] == file and error["severity"] == "error"):
            node = next((node for node in spans if node.lineno <= error["line"] <= (node.end_lineno or 0)), None)
            if node is not None:
                found[file].add((node.name, error["line"] - node.lineno, error["code"]))
    return {
        f"{file.removeprefix('src/').removesuffix('.py').replace('/', '.')}.{name}"
        for file, each in found.items()
        for name, offset, code in each
        if (re.sub(r"\d+$", "orig", name), offset, code) not in each
    }


def draw(mutants: Sequence[Mutant], *, size: int, seed: int) -> list[Mutant]:
    """Draw a sample, spread over the modules by their number of mutants, some of each; the seed decides."""
    modules: dict[str, list[Mutant]] = defaultdict(list)
    for mutant in sorted(mutants):
        modules[mutant.module].append(mutant)
    chosen: list[Mutant] = []
    for module, each in sorted(modules.items()):
        share = max(PER_MODULE_MIN, round(size * len(each) / len(mutants)))
        chosen += random.Random(f"{seed} {module}").sample(each, min(share, len(each)))  # noqa: S311 - no secret
    return chosen


def equivalents(text: str) -> list[Judged]:
    """Read the list of mutants that mean the same as the code."""
    return [Judged(**entry) for entry in tomllib.loads(text).get("equivalent", [])]


def score(mutants: Iterable[Mutant], *, codes: Mapping[str, int | None], judged: Iterable[Judged]) -> Score:
    """Count what became of mutants, given the exit code of each one's test run."""
    same = {(each.function, each.was, each.now) for each in judged}
    counts: Counter[str] = Counter()
    for mutant in mutants:
        code = codes.get(mutant.key)
        if code in UNFINISHED:
            counts["unfinished"] += 1
        elif code not in SURVIVED | WITHOUT_TEST:
            counts["killed"] += 1
        elif (mutant.function, mutant.was, mutant.now) in same:
            counts["equivalent"] += 1
        else:
            counts["survived"] += 1
    return Score(
        counts.total(), counts["killed"], counts["survived"], counts["equivalent"], unfinished=counts["unfinished"]
    )


def report(sample: Sequence[Mutant], *, codes: Mapping[str, int | None], judged: Sequence[Judged]) -> list[str]:
    """Return the lines of a run's report: one for each package, then each survivor."""
    lines = [
        f"{'package':9}{'mutants':>9}{'killed':>9}{'survived':>10}{'equivalent':>12}{'unfinished':>12}{'score':>10}"
    ]
    for package in PACKAGES:
        if not (mine := [mutant for mutant in sample if mutant.package == package]):
            continue
        each = score(mine, codes=codes, judged=judged)
        cells = f"{each.mutants:9}{each.killed:9}{each.survived:10}{each.equivalent:12}{each.unfinished:12}"
        lines.append(f"{package:9}{cells}{each.percent:8.1f} %")
    for mutant in sorted(sample, key=lambda mutant: (mutant.file, mutant.line)):
        if score([mutant], codes=codes, judged=judged).survived:
            note = " (no test calls it)" if codes[mutant.key] in WITHOUT_TEST else ""
            lines += ["", f"{mutant.file}:{mutant.line} {mutant.function}{note}", f"  - {mutant.was}"]
            lines.append(f"  + {mutant.now}")
    return lines


def matches(mutant: Mutant, patterns: Sequence[str]) -> bool:
    """Tell whether a mutant's function is one of the patterns, or lies below one."""
    return not patterns or any(f"{mutant.function}.".startswith(f"{pattern}.") for pattern in patterns)


def generated_texts() -> dict[str, str]:
    """Return what mutmut generated: the text of each changed file, by its path from the project's folder on."""
    files = sorted(file for package in PACKAGES for file in (FOLDER / "src/phasegate" / package).glob("*.py"))
    return {file.relative_to(FOLDER).as_posix(): file.read_text() for file in files}


def exit_codes() -> dict[str, int | None]:
    """Return mutmut's exit code of each mutant's test run."""
    codes: dict[str, int | None] = {}
    for file in sorted(FOLDER.rglob("*.meta")):
        codes |= json.loads(file.read_text())["exit_code_by_key"]
    return codes


def run_mutmut(names: Sequence[str], *, jobs: int, minutes_max: float) -> None:
    """Have mutmut run mutants; end with its words if it cannot, and stop it when the time is up."""
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(jobs), *names]
    # the same examples and the same order of tests in each run: a verdict must not depend on luck
    environment = os.environ | {"CI": "true", "PYTHONHASHSEED": "0"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as mutmut:
        try:
            said, _ = mutmut.communicate(timeout=minutes_max * 60)
        except subprocess.TimeoutExpired:
            mutmut.send_signal(signal.SIGINT)
            said, _ = mutmut.communicate()
            return
    if mutmut.returncode:
        sys.stderr.write("\n".join(line for line in said.splitlines() if not SPINNER.match(line))[-4000:])
        sys.stderr.write("\nmutation: mutmut could not run; mend what it says above\n")
        sys.exit(2)


def run_mypy() -> str:
    """Return what mypy says about the mutants."""
    quiet = [word for code in ARTIFACTS for word in ("--disable-error-code", code)]
    command = [sys.executable, "-m", "mypy", "--output", "json", "--no-warn-unreachable", *quiet, "src/phasegate"]
    return subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False).stdout


def parser() -> argparse.ArgumentParser:
    """Return the parser of the arguments."""
    arguments = argparse.ArgumentParser(prog="make mutation", description=(__doc__ or "").partition("\n")[0])
    arguments.add_argument("patterns", nargs="*", metavar="NAME", help="gate, gate.phase, gate.phase.Phase.void; all")
    size = arguments.add_mutually_exclusive_group()
    size.add_argument("--sample", type=int, default=SAMPLE, metavar="N", help=f"so many mutants ({SAMPLE})")
    size.add_argument("--all", action="store_true", help="every mutant: hours, unless a NAME is given")
    arguments.add_argument("--seed", type=int, default=1, help="draws the sample (1)")
    arguments.add_argument("--jobs", type=int, default=os.cpu_count() or 2, help="processes at once (the cores)")
    arguments.add_argument("--minutes", type=float, default=MINUTES_MAX, help=f"stop the tests then ({MINUTES_MAX})")
    return arguments


def main() -> int:
    """Run what the command line asks for, and print the report."""
    asked = parser().parse_args()
    shutil.rmtree(FOLDER, ignore_errors=True)
    run_mutmut([FIRST], jobs=asked.jobs, minutes_max=asked.minutes)
    texts = generated_texts()
    found = [
        mutant
        for file, text in texts.items()
        for mutant in mutants_in((ROOT / file).read_text(), text, file=file)
        if matches(mutant, asked.patterns)
    ]
    if not found:
        sys.exit(f"mutation: no mutant below {' '.join(asked.patterns)}; name a module or function: gate.phase")
    typed = refused_by_types(run_mypy(), texts)
    left = [mutant for mutant in found if mutant.key not in typed and not is_worded(mutant)]
    sample = left if asked.all else draw(left, size=asked.sample, seed=asked.seed)
    print(
        f"{len(found)} mutants: {len([each for each in found if each.key in typed])} refused by mypy, "
        f"{len(found) - len(left)} with the worded ones left out, {len(sample)} of {len(left)} run"
    )
    run_mutmut([mutant.key for mutant in sample], jobs=asked.jobs, minutes_max=asked.minutes)
    codes, judged = exit_codes(), equivalents(EQUIVALENT.read_text())
    print("\n".join(report(sample, codes=codes, judged=judged)))
    by_package = [[mutant for mutant in sample if mutant.package == package] for package in PACKAGES]
    return int(any(score(each, codes=codes, judged=judged).percent < GOAL for each in by_package))


if __name__ == "__main__":
    sys.exit(main())
