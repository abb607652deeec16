"""`--source module:Class`: a class with three methods is a source, and what is wrong with one is named."""

import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from nba_props.cli import main
from nba_props.errors import DataError
from nba_props.own.checked import CheckedSource
from nba_props.own.load import NEEDED, load_source
from nba_props.raw import COLUMNS
from nba_props.sources import GameSource, Source
from nba_props.sources.named import named_source
from tests.support.own_sources import DAY, GAMES, NEXT, NIGHTS, write_csv_source, write_module

OWN = "own_of_a_test"
OF_LINES = {
    "nba_raw.odds_api_player_points_props",
    "nba_analytics.upcoming_player_game_context",
    "nba_precompute.ml_feature_store_v2",
}
"""The tables that hold the bookmakers' lines, which the CSV files have not."""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make a folder the current one; what is imported from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    for name in [name for name, module in sys.modules.items()
                 if str(getattr(module, "__file__", None) or "").startswith(str(tmp_path))]:  # fmt: skip
        del sys.modules[name]


@pytest.fixture
def run(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def play(*arguments: str, last: date = DAY) -> tuple[int, str, str]:
        command = ["nba-props", "run", "--from", str(DAY), "--to", str(last), *arguments]
        monkeypatch.setattr("sys.argv", command)
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        return int(str(end.value.code)), out, err

    assert here == Path.cwd()
    return play


def own(folder: Path, *sources: str, name: str = "Games") -> CheckedSource:
    write_module(folder, OWN, *sources)
    return load_source(f"{OWN}:{name}")


def changed(method: str, body: str) -> str:
    """Give the class Games with another method."""
    return f"class Games(Games):\n    def {method}\n        {body}\n"


@pytest.mark.slow
def test_one_s_own_class_gives_the_tables_of_the_built_in_source_and_a_csv_file_too(run: Run, here: Path) -> None:
    write_module(
        here, OWN, GAMES, "class Whole(Games):\n    name = 'synthetic'\n    props = staticmethod(nights.props)"
    )
    built_in = json.loads(run("--synthetic", "--state", "a", "--json", last=NEXT)[1])
    code, out, err = run("--source", f"{OWN}:Whole", "--state", "b", "--json", last=NEXT)
    assert (code, err) == (0, "")
    assert json.loads(out)["tables"] == built_in["tables"]
    write_csv_source(here)
    code, out, _ = run("--source", "csv:map.toml", "--state", "c", "--json", last=NEXT)
    summary = json.loads(out)
    assert (code, summary["to_check"], summary["held_back"]) == (0, [], [])
    assert {name for name, table in summary["tables"].items() if table != built_in["tables"][name]} == OF_LINES


def test_the_last_line_names_the_source_as_phasegate_reads_it(run: Run, here: Path) -> None:
    write_module(here, OWN, GAMES)
    _, out, _ = run("--source", f"{OWN}:Games", "--mode", "same_day")
    assert out.splitlines()[-1].startswith(f"inspect it: NBA_DATA={OWN}:Games phasegate ")


def test_columns_that_follow_are_filled_in_and_the_rest_of_a_source_has_its_usual_answer(here: Path) -> None:
    source: Source = own(here, GAMES)
    assert source.batch(DAY) == NIGHTS.batch(DAY)
    assert tuple(source.batch(DAY)[0]) == tuple(COLUMNS)
    assert (source.name, source.retries) == ("Games", 0)
    assert source.dates(DAY, NEXT) == [DAY, NEXT]
    assert source.updated_at(DAY) == NIGHTS.updated_at(DAY)
    assert (source.props(DAY), source.shots(DAY), source.notices(DAY, NEXT)) == ([], [], [])
    assert source.coverage(DAY, NEXT) == [(DAY, NEXT)]


def test_other_methods_of_the_class_are_used(here: Path) -> None:
    more = """
    from datetime import UTC, datetime
    from nba_props.notices import Notice

    class Games(Games):
        name, retries = "mine", 2
        dates = staticmethod(lambda first, last: [last, first])
        updated_at = staticmethod(lambda day: datetime(2026, 2, 9, tzinfo=UTC))
        props = staticmethod(nights.props)
        shots = staticmethod(nights.shots)
        notices = staticmethod(lambda first, last: [Notice("a.b", (), "look at this")])
    """
    source = own(here, GAMES, more)
    assert source.dates(DAY, NEXT) == [DAY, NEXT]
    assert (source.name, source.retries) == ("mine", 2)
    assert source.props(DAY) == NIGHTS.props(DAY)
    assert source.props(DAY, at=datetime(2026, 1, 1, tzinfo=UTC)) == []
    assert source.batch(DAY)[0]["source_updated_at"] == datetime(2026, 2, 9, tzinfo=UTC)
    assert [notice.text for notice in source.notices(DAY, DAY)] == ["look at this"]


def test_a_function_that_returns_a_source_is_as_good_as_a_class(here: Path) -> None:
    assert own(here, GAMES, "def make():\n    return Games()", name="make").batch(DAY) == NIGHTS.batch(DAY)


def test_the_needed_methods_are_those_of_the_protocol() -> None:
    assert set(NEEDED) == {name for name in vars(GameSource) if not name.startswith("_")}


@pytest.mark.parametrize(
    ("text", "source", "problem"),
    [
        ("absent:Games", "", "absent:Games: there is no module absent in "),
        (f"{OWN}:Nights", GAMES, f"{OWN}:Nights: HERE/{OWN}.py has no Nights; its classes are Games; correct the name"),
        (f"{OWN}:Nights", "a = 1", f"{OWN}:Nights: HERE/{OWN}.py has no Nights; its classes are none; correct"),
        (f"{OWN}:a", "a = 1", f"{OWN}:a: a is no class; name a class, or a function that returns a source"),
        (f"{OWN}:A", "class A:\n    def batch(self, day): ...", f"{OWN}:A: A lacks schedule(), coverage(); write what"),
        (f"{OWN}:make", "def make(): ...", f"{OWN}:make: NoneType lacks schedule(), batch(), coverage()"),
        (f"{OWN}:A", "class A:\n    def __init__(self, folder): ...", "A() raised TypeError: "),
        (f"{OWN}:A", "class A:\n\n    def __init__(self):\n        open('no.csv')", f"{OWN}.py, line 4); it is called"),
        (f"{OWN}:A", "import absent.parts", f"{OWN}:A: {OWN} imports absent, which is missing; install absent"),
        (f"{OWN}:A", "raise SystemExit(0)", f"{OWN}:A: {OWN} cannot be imported: SystemExit: 0 ("),
        (f"{OWN}:A", "class A\n", f"{OWN}:A: {OWN} cannot be imported: SyntaxError: "),
        (f"{OWN}:A", "a = 1\n1 / 0", f"imported: ZeroDivisionError: division by zero (HERE/{OWN}.py, line 2)"),
    ],
)  # fmt: skip
def test_a_class_that_is_no_source_is_refused_in_one_line(run: Run, text: str, source: str, problem: str) -> None:
    here = Path.cwd()
    write_module(here, OWN, source)
    code, out, err = run("--source", text)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert problem.replace("HERE", str(here)) in err


@pytest.mark.parametrize(
    ("method", "body", "problem"),
    [
        ("batch(self, day):", "return None", f"{OWN}:Games, batch: returned None, and no list; correct the source"),
        ("batch(self, day):", "return [1]", "batch: row 1 is 1, and no dict of column to value"),
        ("batch(self, day):", "return [{'game_id': ['x']}]", "row 1, column game_id: is ['x'], and no single value"),
        ("batch(self, day):", "return [{1: 2}]", "batch: row 1, column 1: is 2, and no single value"),
        ("batch(self, day):", "raise SystemExit(0)", "batch: raised SystemExit: 0 ("),
        ("batch(self, day):", "return {}['a']", "batch: raised KeyError: 'a' ("),
        ("batch(self, day):", "yield 1 / 0", "batch: raised ZeroDivisionError: division by zero ("),
        ("batch(self, day):", "return nights.batch(nights.dates(day, day)[0].replace(day=9))",
         "batch(2026-02-03): row 1 (game synthetic-20260209-01) is of 2026-02-09"),
        ("batch(self, day):", "return [row | {'points': 99} for row in nights.batch(day)]",
         f"{OWN}:Games, batch(2026-02-03): row 1 (game synthetic-20260203-01, player "),
        ("batch(self, day):", "return [row | {'dunks': 9} for row in nights.batch(day)]",
         "column dunks: is no column of the raw table"),
        ("batch(self, day):", "return [{'game_date': day}]", "row 1 (game None, player None), column "),
        ("updated_at(self, day):", "return '2026'", "returned '2026', which is no datetime with a time zone"),
    ],
)  # fmt: skip
def test_a_bad_answer_is_refused_with_its_place(here: Path, method: str, body: str, problem: str) -> None:
    source = own(here, GAMES, changed(method, body))
    with pytest.raises(DataError) as caught:
        source.batch(DAY)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("method", "body", "problem"),
    [
        ("coverage(self, first, last):", "return [first]", "coverage: returned datetime.date(2026, 2, 3), which is no"),
        ("schedule(self, first, last):", "return [{'game_id': 'x'}]",
         "schedule: row 1 (game x), column game_date: is None, not DATE"),
        ("dates(self, first, last):", "return ['2026-02-03']", "dates: returned '2026-02-03', which is no date"),
        ("notices(self, first, last):", "return ['look']", "notices: returned 'look', which is no nba_props.notices"),
        ("props(self, day, *, at=None):", "return [{}]", "props: nba_raw.odds_api_player_points_props, row 1, column "),
    ],
)  # fmt: skip
def test_the_other_answers_are_checked_too(here: Path, method: str, body: str, problem: str) -> None:
    source = own(here, GAMES, changed(method, body))
    asked = {"coverage": source.coverage, "schedule": source.schedule, "dates": source.dates, "notices": source.notices}
    with pytest.raises(DataError) as caught:
        asked.get(method.partition("(")[0], lambda day, _: source.props(day))(DAY, NEXT)
    assert problem in str(caught.value)


def test_a_bad_schedule_row_is_left_out_alone_and_its_date_is_not_known(here: Path) -> None:
    body = "return [r | {'season': ''} if n == 0 else r for n, r in enumerate(nights.schedule(first, last))]"
    source = own(here, GAMES, changed("schedule(self, first, last):", body))
    assert source.schedule(DAY, NEXT) == NIGHTS.schedule(DAY, NEXT)[1:]
    assert source.coverage(DAY, NEXT) == [(NEXT, NEXT)]
    (notice,) = source.notices(DAY, DAY)
    assert notice.held_back
    assert notice.text == (
        f"left out: {OWN}:Games, schedule, row 1 (game synthetic-20260203-01): column season: has no value; "
        "correct the row at its source"
    )


def test_a_game_that_a_schedule_has_twice_is_kept_once_and_named(here: Path) -> None:
    source = own(here, GAMES, changed("schedule(self, first, last):", "return 2 * nights.schedule(first, last)[:1]"))
    assert len(source.schedule(DAY, DAY)) == 1
    assert "is there twice on 2026-02-03" in source.notices(DAY, DAY)[0].text


def test_a_bad_row_holds_its_date_back_and_no_other(run: Run, here: Path) -> None:
    body = "return [r | {'points': 99} if day.day == 3 and r['minutes'] == 30 else r for r in nights.batch(day)]"
    write_module(here, OWN, GAMES, changed("batch(self, day):", body))
    code, out, _ = run("--source", f"{OWN}:Games", "--mode", "overnight", "--json", last=NEXT)
    summary = json.loads(out)
    assert code == 1
    (line,) = summary["not_fetched"]
    assert line.startswith(f"2026-02-03 overnight, nbac_gamebook_player_stats: {OWN}:Games, batch(2026-02-03): row ")
    assert "column points: is 99, but the shots made give" in line
    assert summary["tables"]["nba_raw.nbac_gamebook_player_stats"]["rows"] == len(NIGHTS.batch(NEXT))


def test_the_environment_may_name_it_and_a_path_with_a_colon_is_a_folder(here: Path) -> None:
    write_module(here, OWN, GAMES)
    assert named_source(f"{OWN}:Games").name == "Games"
    (here / "a:b").mkdir()
    with pytest.raises(DataError, match="neither it nor its subfolder nba has a file player_game"):
        named_source("./a:b")


def test_what_a_class_prints_is_no_part_of_the_summary(run: Run, here: Path) -> None:
    write_module(
        here, OWN, "print('imported')", GAMES, changed("coverage(self, first, last):", "print('asked'); return []")
    )
    code, out, err = run("--source", f"{OWN}:Games", "--mode", "same_day", "--json")
    assert (code, json.loads(out)["games"]) == (0, 10)
    assert {"imported", "asked"} == {*err.splitlines()}


def test_two_sources_are_refused(run: Run) -> None:
    assert (
        run("--source", "synthetic", "--live")[2] == "nba-props: --source: --live is given too; leave one of them out\n"
    )
