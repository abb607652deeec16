"""The kept translations of the reference pipeline's texts: ``python -m tests.support.golden_sql`` writes them again."""

import re
from collections.abc import Iterator
from pathlib import Path

from nba_props import PLAN
from phasegate import read_plan
from phasegate.code.translated import with_sql
from phasegate.dialects.engines import Engine
from tests.support.real_data import ROOT

GOLDEN = ROOT / "tests" / "dialects" / "golden"
OTHERS: tuple[Engine, ...] = ("postgresql", "bigquery")
_BREAKS = re.compile(r", (?=[^0-9'])| (?=FROM |WHERE |GROUP BY |LEFT JOIN |JOIN |UNION ALL )")


def translations() -> Iterator[tuple[Path, str]]:
    """Give the file of each translation, and its text, laid out for a reader."""
    plan = read_plan(PLAN)
    for engine in OTHERS:
        for step in with_sql(plan, engine=engine).steps.values():
            if step.sql:
                text = _BREAKS.sub(lambda found: f"{found[0].rstrip()}\n", step.sql)
                yield GOLDEN / engine / f"{step.name}.sql", f"{text}\n"


def write() -> None:
    for path, text in translations():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    write()
