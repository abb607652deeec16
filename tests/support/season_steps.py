"""A Python step that reads the season before its date."""

from datetime import date
from typing import cast

from phasegate.write.reading import Reading

BEFORE = "SELECT amount FROM raw.box WHERE day >= CAST($season_start AS DATE) AND day < CAST($run_date AS DATE)"


def total(run: Reading) -> list[dict[str, object]]:
    amounts = [cast("int", row["amount"]) for row in run.read(BEFORE)]
    return [{"day": date.fromisoformat(run.date), "amount": sum(amounts)}]
