"""The kept translations of the reference pipeline's texts: ``python -m tests.support.golden_sql`` writes them again."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from nba_props import PLAN
from phasegate import Plan, read_plan
from phasegate.code.translated import with_sql
from phasegate.dialects.engines import Engine
from tests.support.real_data import ROOT

GOLDEN = ROOT / "tests" / "dialects" / "golden"
OTHERS: tuple[Engine, ...] = ("postgresql", "bigquery")
_BREAKS = re.compile(r", (?=[^0-9'])| (?=FROM |WHERE |GROUP BY |LEFT JOIN |JOIN |UNION ALL )")


@cache
def translated(engine: Engine) -> Plan:
    """Return the reference plan in an engine's SQL: once for each process, and not when a test is collected."""
    return with_sql(read_plan(PLAN), engine=engine)


def translations() -> Iterator[tuple[Path, str]]:
    """Give the file of each translation, and its text, laid out for a reader."""
    for engine in OTHERS:
        for step in translated(engine).steps.values():
            if step.sql:
                text = _BREAKS.sub(lambda found: f"{found[0].rstrip()}\n", step.sql)
                yield GOLDEN / engine / f"{step.name}.sql", f"{text}\n"


def write() -> None:
    for path, text in translations():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    write()
