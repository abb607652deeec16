import pytest
from hypothesis import given
from hypothesis import strategies as st

from phasegate.errors import BadInput
from phasegate.plan.load import load_plan
from phasegate.plan.toml_lines import Place, parse, spell, suggest
from tests.support.good_plans import FILES, GOOD

TEXT = '''\
top = """
[not.a.table]
key = "nor a key"
"""
list = [
  # [nor.this]
  { a = "]" },
  "[", '{',
]

[ a . "b c" ]
d.e = { f = 1 }
'g' = 2
[[many]]
x = 1
[[many]]
x = 2
[a.later]
y = \'\'\'
y = 1
\'\'\'
z = 3
'''


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("top",), 1),
        (("list",), 5),
        (("list", 0, "a"), 5),
        (("a", "b c"), 11),
        (("a", "b c", "d"), 12),
        (("a", "b c", "d", "e", "f"), 12),
        (("a", "b c", "g"), 13),
        (("a", "b c", "missing"), 11),
        (("many", 0, "x"), 15),
        (("many", 1), 16),
        (("many", 1, "x"), 17),
        (("a", "later", "y"), 19),
        (("a", "later", "z"), 22),
        (("nowhere",), 1),
        ((), 1),
    ],
)
def test_every_key_is_found_on_its_line(place: Place, line: int) -> None:
    assert parse(TEXT, name="x.toml").line(place) == line


def test_what_is_shown_of_a_value_fits_one_line() -> None:
    assert spell("a\nb\u2028c\x00") == '"a\\nb\\u2028c\\u0000"'
    assert len(spell("x" * 1000)) == 80
    assert spell({"a": 1}) == "a table"
    assert spell(1.5) == "1.5"


def test_a_suggestion_lists_a_bounded_number_of_names() -> None:
    known = [f"step_{i:02}" for i in range(30)]
    assert suggest("zzz", known=known).endswith("step_19 and 10 more")
    assert suggest("zzz", known=[]) == "; known: none"


@given(
    at=st.integers(0, len(GOOD)),
    removed=st.integers(0, 40),
    inserted=st.text(alphabet=st.sampled_from("abz_10.\"'\\[]{}=,#\n\t \x00\u2028é"), max_size=12),
)
def test_a_damaged_plan_is_loaded_or_refused_in_one_line(at: int, removed: int, inserted: str) -> None:
    text = GOOD[:at] + inserted + GOOD[at + removed :]
    said = refusal(text)
    if said is not None:
        name, line, rest = said.split(":", 2)
        assert name == "plan.toml"
        assert 1 <= int(line) <= text.count("\n") + 1
        assert rest.startswith(" ")
        assert len(said.splitlines()) == 1


def refusal(text: str) -> str | None:
    try:
        load_plan(text, files=FILES.__getitem__)
    except BadInput as e:
        return str(e)
    return None
