"""Check that tools/mutation.py reads mutmut's verdicts rightly, on invented files; no test here runs mutmut."""

import json

import pytest

from tests.support.real_data import ROOT
from tools.mutation import (
    EQUIVALENT,
    Judged,
    Mutant,
    draw,
    equivalents,
    functions_in,
    is_worded,
    matches,
    mutants_in,
    refused_by_types,
    report,
    score,
)

FILE = "src/phasegate/gate/door.py"
SOURCE = '''"""A door."""

LIMIT = 3

def opens(at: int) -> bool:
    """Open early."""
    return at < LIMIT

class Door:
    def shut(self) -> str:
        if opens(1):
            return "open"
        raise ValueError("the door is shut")
'''
GENERATED = '''"""A door."""
from mutmut.mutation.trampoline import wrap_in_trampoline as _mutmut_mutated
mutants_x_opens__mutmut = {}
LIMIT = 3

@_mutmut_mutated(mutants_x_opens__mutmut)
def opens(at: int) -> bool:
    """Open early."""
    return at < LIMIT

def x_opens__mutmut_orig(at: int) -> bool:
    """Open early."""
    return at < LIMIT

def x_opens__mutmut_1(at: int) -> bool:
    """Open early."""
    return at <= LIMIT

class Door:
    def shut(self) -> str:
        if opens(1):
            return "open"
        raise ValueError("the door is shut")

    def xǁDoorǁshut__mutmut_orig(self) -> str:
        if opens(1):
            return "open"
        raise ValueError("the door is shut")

    def xǁDoorǁshut__mutmut_1(self) -> str:
        if opens(None):
            return "open"
        raise ValueError("the door is shut")

    def xǁDoorǁshut__mutmut_2(self) -> str:
        if opens(1):
            return "XXopenXX"
        raise ValueError("the door is shut")

    def xǁDoorǁshut__mutmut_3(self) -> str:
        if opens(1):
            return "open"
        raise ValueError("THE DOOR IS SHUT")
'''
OPENS, NONE, WORD, SENTENCE = mutants_in(SOURCE, GENERATED, file=FILE)


def test_a_mutant_has_its_line_in_the_source_and_what_was_changed() -> None:
    assert Mutant(
        key="phasegate.gate.door.x_opens__mutmut_1", file=FILE, line=7, function="gate.door.opens",
        was="return at < LIMIT", now="return at <= LIMIT",
    ) == OPENS  # fmt: skip
    assert (NONE.key, NONE.line, NONE.function) == (
        "phasegate.gate.door.xǁDoorǁshut__mutmut_1", 11, "gate.door.Door.shut",
    )  # fmt: skip
    assert (WORD.was, WORD.now) == ('return "open"', 'return "XXopenXX"')
    assert (OPENS.package, OPENS.module) == ("gate", "gate.door")


def test_only_a_changed_sentence_is_worded() -> None:
    assert [is_worded(mutant) for mutant in (OPENS, NONE, WORD, SENTENCE)] == [False, False, False, True]


def test_what_mypy_refuses_is_left_out_unless_it_refuses_the_original_too() -> None:
    lines = GENERATED.splitlines()
    errors = [
        (lines.index("        if opens(None):") + 1, "arg-type"),
        (lines.index("    return at <= LIMIT") + 1, "operator"),
        (lines.index("    def xǁDoorǁshut__mutmut_orig(self) -> str:") + 4, "misc"),
        (lines.index("    def xǁDoorǁshut__mutmut_2(self) -> str:") + 4, "misc"),
    ]
    said = [
        {"file": FILE, "line": line, "code": code, "severity": "error", "message": "no"} for line, code in errors
    ] + [{"file": "src/phasegate/other.py", "line": 1, "code": "misc", "severity": "error", "message": "no"}]
    printed = "\n".join([*map(json.dumps, said), "Found 5 errors"])
    assert refused_by_types(printed, {FILE: GENERATED}) == {NONE.key, OPENS.key}


def test_the_verdicts_are_counted_and_the_survivors_printed_with_their_lines() -> None:
    codes = {OPENS.key: 0, NONE.key: 1, WORD.key: 33, SENTENCE.key: 0}
    judged = [Judged(SENTENCE.function, SENTENCE.was, SENTENCE.now, why="nothing reads it")]
    assert report([OPENS, NONE, WORD, SENTENCE], codes=codes, judged=judged) == [
        "package    mutants   killed  survived  equivalent  unfinished     score",
        "gate             4        1         2           1           0    33.3 %",
        "",
        f"{FILE}:7 gate.door.opens",
        "  - return at < LIMIT",
        "  + return at <= LIMIT",
        "",
        f"{FILE}:12 gate.door.Door.shut (no test calls it)",
        '  - return "open"',
        '  + return "XXopenXX"',
    ]


@pytest.mark.parametrize(
    ("code", "field"),
    [(1, "killed"), (3, "killed"), (-24, "killed"), (-11, "killed"), (36, "killed"), (0, "survived"), (5, "survived"),
     (33, "survived"), (2, "unfinished"), (None, "unfinished")],
)  # fmt: skip
def test_each_exit_code_is_one_verdict(code: int | None, field: str) -> None:
    counted = score([OPENS], codes={OPENS.key: code}, judged=[])
    assert {name: value for name, value in counted._asdict().items() if value} == {"mutants": 1, field: 1}
    assert counted.percent == (0.0 if field == "survived" else 100.0)


def test_equal_seeds_draw_equal_samples_with_some_of_each_module() -> None:
    many = [OPENS._replace(key=f"big{number:03}", function="gate.big.f") for number in range(300)]
    few = [OPENS._replace(key=f"small{number}", function="work.small.f") for number in range(4)]
    drawn = draw([*many, *few], size=30, seed=1)
    assert drawn == draw([*reversed(few), *many], size=30, seed=1) != draw([*many, *few], size=30, seed=2)
    assert [sum(mutant.module == module for mutant in drawn) for module in ("gate.big", "work.small")] == [30, 3]
    assert sorted(draw(few, size=99, seed=1)) == few


def test_a_name_is_a_package_a_module_a_class_or_a_function() -> None:
    for pattern in ("gate", "gate.door", "gate.door.Door", "gate.door.Door.shut"):
        assert matches(NONE, [pattern])
    assert matches(NONE, [])
    assert not matches(NONE, ["gate.do", "work", "gate.door.Door.shuts"])


def test_each_mutant_that_is_listed_as_equivalent_is_still_in_the_code_and_has_its_reason() -> None:
    for judged in equivalents(EQUIVALENT.read_text()):
        package, module, *names = judged.function.split(".")
        source = (ROOT / "src" / "phasegate" / package / f"{module}.py").read_text()
        nodes = dict(functions_in(source))
        lines = source.splitlines()
        node = nodes[".".join(names)]
        body = " ".join(line.strip() for line in lines[node.lineno - 1 : node.end_lineno])
        assert judged.was in body, f"{judged.function}: {judged.was} is gone; take it off {EQUIVALENT.name}"
        assert judged.now not in body
        assert len(judged.why) > 20
