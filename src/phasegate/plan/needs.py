"""Reads the needs of a step, and what its table must cover or obey.

A need is another step on the run's own date, or a window of the days before it. A step covers another one of its own
date. Identities are ``determines = ["game_id -> game_date"]`` and ``sums = ["points by game_id = team_game.points"]``.
Pure.
"""

import re
from collections.abc import Iterable
from typing import cast

from msgspec.structs import replace

from phasegate.base.dates import BACK_MAX
from phasegate.base.table import Dependency, Table
from phasegate.plan.gate import SEASON, Covers, Need
from phasegate.plan.model import Total
from phasegate.plan.toml_lines import spell, suggest
from phasegate.plan.toml_read import Section

_BACK = re.compile(r"([1-9]\d{0,3})d", re.ASCII)
_WANTED = 'a list of steps such as ["raw.gamebook", { step = "team_game", back = "20d" }]'
_COVERS = 'a table such as { step = "raw.schedule", on = ["game_id"], where = "not postponed" }'
WHERE_CHARS_MAX = 500
_DAYS = f'a number of days such as "20d", at most "{BACK_MAX}d", or "season"'
_NAME = r"[a-z][a-z0-9_]*"
_LIST = rf"{_NAME}(?:\s*,\s*{_NAME})*"
_DEPENDENCY = re.compile(rf"({_LIST})\s*->\s*({_NAME})", re.ASCII)
_TOTAL = re.compile(rf"({_NAME})\s+by\s+({_LIST})\s*=\s*(?:{_NAME}\.)?({_NAME})\.({_NAME})", re.ASCII)
_DEPENDENCIES = 'a list such as ["game_id -> game_date"]'
_TOTALS = 'a list such as ["points by game_id, team = team_game.points"]'


def read_needs(section: Section, *, home: dict[str, str], after: dict[str, tuple[str, ...]]) -> tuple[Need, ...]:
    """Return a step's needs, each a known step within reach.

    ``home``: step -> phase; ``after``: phase -> upstream.
    """
    listed = section.body.get("needs", [])
    if not isinstance(listed, list):
        raise section.unwanted("needs", wanted=_WANTED)
    mine = home[str(section.place[-1])]
    found: list[Need] = []
    for i, item in enumerate(cast("list[object]", listed)):
        need = _need(section, i, item, home=home)
        if any(other.step == need.step and bool(other.back) == bool(need.back) for other in found):
            name = spell(f"{need.phase}.{need.step}")
            twice = f"holds two windows of {name}; keep the longer" if need.back else f"holds {name} twice; remove one"
            raise section.error("needs", twice)
        if not need.back:
            _check_reach(section, need, key="needs", mine=mine, after=after)
        found.append(need)
    return tuple(found)


def read_covers(section: Section, *, home: dict[str, str], after: dict[str, tuple[str, ...]]) -> Covers | None:
    """Return what a step's table must cover, a known step within reach.

    ``home``: step -> phase; ``after``: phase -> upstream.
    """
    if not section.has("covers"):
        return None
    inner, mine = section.section("covers", wanted=_COVERS), str(section.place[-1])
    inner.only(("step", "on", "where"))
    if not section.has("table"):
        raise section.error("covers", 'does nothing without a table; add table = "schema.table", or remove it')
    text = inner.text("step", wanted='the name of a step, such as "raw.schedule"')
    need = _known(section, text, home=home, key="covers")
    if need.step == mine:
        raise section.error("covers", f"{spell(mine)} is the step itself; name the step that it must cover")
    _check_reach(section, need, key="covers", mine=home[mine], after=after)
    on = inner.texts("on", wanted='a list of columns such as ["game_id"]')
    if not on:
        raise inner.unwanted("on", wanted='the columns that both tables have, such as ["game_id"]')
    where = ""
    if inner.has("where"):
        wanted = f'an SQL condition on the rows to cover, such as "not postponed", at most {WHERE_CHARS_MAX} characters'
        where = inner.text("where", wanted=wanted).strip()
        if not where or len(where) > WHERE_CHARS_MAX or ";" in where:
            raise inner.unwanted("where", wanted=wanted)
    return Covers(need=need, on=on, where=where)


def _check_reach(section: Section, need: Need, *, key: str, mine: str, after: dict[str, tuple[str, ...]]) -> None:
    """Refuse a step that is neither of the same phase nor of one before it."""
    if need.phase not in (mine, *after[mine]):
        wrong = f"{spell(str(need))} would never arrive: phase {spell(mine)} does not come after"
        raise section.error(key, f'{wrong} {spell(need.phase)}; write after = "{need.phase}" in [phase.{mine}]')


def _need(section: Section, i: int, item: object, /, *, home: dict[str, str]) -> Need:
    """Return one need: a step, or a table with the days of its window."""
    if isinstance(item, str):
        return _known(section, item, home=home)
    if not isinstance(item, dict):
        raise section.error("needs", f"holds {spell(item)}, wanted {_WANTED}")
    inner = Section(section.toml, (*section.place, "needs", i), cast("dict[str, object]", item))
    inner.only(("step", "back"))
    need = _known(section, inner.text("step", wanted='the name of a step, such as "raw.gamebook"'), home=home)
    text = inner.text("back", wanted=_DAYS)
    if text == "season":
        return replace(need, back=SEASON)
    back = _BACK.fullmatch(text)
    if back is None or int(back[1]) > BACK_MAX:
        raise inner.unwanted("back", wanted=_DAYS)
    return replace(need, back=int(back[1]))


def _known(section: Section, text: str, *, home: dict[str, str], key: str = "needs") -> Need:
    phase, _, name = text.rpartition(".")
    if name not in home:
        raise section.error(key, f"unknown step {spell(text)}{suggest(name, known=home)}")
    if phase and phase != home[name]:
        right = f"{home[name]}.{name}"
        raise section.error(key, f"{spell(name)} is not a step of {spell(phase)}; write {spell(right)}")
    return Need(home[name], name)


def read_dependencies(section: Section, *, table: Table | None) -> tuple[Dependency, ...]:
    """Return what the columns of the table determine, over all partitions."""
    found = []
    for text in section.texts("determines", wanted=_DEPENDENCIES):
        match = _DEPENDENCY.fullmatch(text.strip())
        if match is None:
            raise section.error("determines", f"holds {spell(text)}, wanted {_DEPENDENCIES}")
        columns, determined = _columns(match[1]), match[2]
        _check_known(section, "determines", (*columns, determined), table=table)
        if determined in columns:
            raise section.error("determines", f"{spell(text)} holds always; name another column after ->")
        found.append(Dependency(columns, determined))
    return tuple(found)


def read_sums(section: Section, *, table: Table | None) -> tuple[Total, ...]:
    """Return the sums that must agree with another step's table."""
    found = []
    for text in section.texts("sums", wanted=_TOTALS):
        match = _TOTAL.fullmatch(text.strip())
        if match is None:
            raise section.error("sums", f"holds {spell(text)}, wanted {_TOTALS}")
        total = Total(column=match[1], by=_columns(match[2]), step=match[3], other=match[4])
        _check_known(section, "sums", (total.column, *total.by), table=table)
        found.append(total)
    return tuple(found)


def _columns(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in text.split(",")))


def _check_known(section: Section, key: str, names: Iterable[str], *, table: Table | None) -> None:
    """Refuse columns that the table is declared not to have."""
    columns = {} if table is None else table.columns
    for name in names if columns else ():
        if name not in columns:
            raise section.error(key, f"{spell(name)} is not in columns{suggest(name, known=columns)}")
