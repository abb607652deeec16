"""The page of what it costs: its counts are those that were measured, and its sums follow from them and the prices."""

import re

import pytest

from tests.support.real_data import ROOT

DOCS = ROOT / "docs"
PAGE = (DOCS / "explanation" / "cost.md").read_text()
MEASURED = (DOCS / "reference" / "benchmarks.md").read_text()
DATES, HOURS = 31, 744
SWEEP_S, MEMORY_GIB = 0.1, 0.5


def table(head: str) -> dict[str, list[str]]:
    """Return the cells of a table's rows, by their first."""
    rows = PAGE.partition(f"| {head} |")[2].partition("\n\n")[0].splitlines()[2:]
    return {name: cells for name, *cells in ([cell.strip() for cell in row.strip("|").split("|")] for row in rows)}


COUNTS = {name: [float(cell) for cell in cells] for name, cells in table("count").items()}
MONTH = {name: int(cells[2]) for name, cells in COUNTS.items()}
BILL = table("item")
PULLED = ("messages sent", "messages taken", "pulls that found nothing")
# What each line of the bill is made of.
BILLED = {
    **{f"Firestore: {name}": MONTH[f"Firestore: {name}"] for name in ("reads", "writes", "deletes")},
    "Pub/Sub: messages and pulls, 1 KiB each": sum(MONTH[f"Pub/Sub: {name}"] for name in PULLED),
    "BigQuery: tables by statement, 10 MiB each": MONTH["BigQuery: tables named, by statement"],
    "Cloud Run: processors, in requests": MONTH["Cloud Run: seconds of a processor"]
    + MONTH["Cloud Run: sweeps on a schedule"] * SWEEP_S,
    "Cloud Run: half a GiB of memory": (
        MONTH["Cloud Run: seconds of a processor"] + MONTH["Cloud Run: sweeps on a schedule"] * SWEEP_S
    ) * MEMORY_GIB,
    "Cloud Run: requests": MONTH["Cloud Run: sweeps on a schedule"] + MONTH["Pub/Sub: messages taken"],
}  # fmt: skip


def measured(head: str, *, after: str) -> list[float]:
    """Return the numbers of a line that a benchmark printed."""
    found = re.search(rf"^{re.escape(head)} +([\d.]+)(?: +([\d.]+))?", MEASURED.partition(after)[2], re.MULTILINE)
    assert found is not None, head
    return [float(number) for number in found.groups() if number]


def test_every_count_is_one_that_the_benchmark_printed() -> None:
    shown = {"Firestore": ("reads", "writes", "deletes"), "Pub/Sub": ("messages sent", "messages taken")}
    for service, names in shown.items():
        for name in names:
            assert COUNTS[f"{service}: {name}"][:2] == measured(name, after="$ python -m benchmarks google\n"), name
    in_bigquery = "$ python -m benchmarks google --bigquery"
    assert COUNTS["BigQuery: tables named, by statement"][:2] == measured(
        "tables named, by statement", after=in_bigquery
    )
    kinds = {"": "jobs", " staged": "jobs: stage", " committed": "jobs: commit", " read": "jobs: read"}
    told = {word: f"{measured(head, after=in_bigquery)[0]:g}" for word, head in kinds.items()}
    for word, number in told.items():
        assert f"{number}{word or ' jobs'}" in PAGE
    assert f"{measured('dry runs', after=in_bigquery)[0]:g} dry runs" in PAGE
    assert (
        COUNTS["Cloud Run: seconds of a processor"][0]
        == measured("seconds", after="$ python -m benchmarks google\n")[0]
    )


@pytest.mark.parametrize("name", COUNTS)
def test_a_month_is_that_of_its_dates_and_hours(name: str) -> None:
    a_date, an_hour, a_month = COUNTS[name]
    assert a_month == round(DATES * a_date + HOURS * an_hour)


def test_the_bill_has_a_line_for_everything_that_is_counted() -> None:
    assert {name: float(cells[0]) for name, cells in BILL.items()} == pytest.approx(BILLED, abs=0.5)


@pytest.mark.parametrize("name", BILL)
def test_a_line_of_the_bill_is_its_count_times_its_price_and_below_what_is_free(name: str) -> None:
    a_month, unit, price, dollars, free = BILL[name]
    assert dollars == f"{float(a_month) / float(unit.split()[0]) * float(price):.3f}"
    assert float(a_month) < float(free)


def test_sums_in_words_are_right() -> None:
    total = sum(float(cells[3]) for cells in BILL.values())
    read = float(BILL["Firestore: reads"][2]) / 100_000
    idle = HOURS * COUNTS["Firestore: reads"][1]
    seconds = HOURS * 3600
    for told in (
        f"Together that is ${total:.2f} a month", f"63 million reads a month: ${63e6 * read:.2f}",
        f"An idle month is {idle:.0f} reads here: ${idle * read:.2f}",
        f"{seconds} seconds at $0.000018 and {seconds * MEMORY_GIB:.0f} GiB-seconds at $0.000002, "
        f"which is ${seconds * 0.000018 + seconds * MEMORY_GIB * 0.000002:.2f}",
    ):  # fmt: skip
        assert told in PAGE
