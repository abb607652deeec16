"""The page of metrics names every metric as it is declared, and no other."""

import re

from phasegate.observe.metrics import COUNTED, Metric
from phasegate.web.gauges import READ
from phasegate.web.service import SERVED
from tests.support.real_data import ROOT

PAGE = ROOT / "docs" / "reference" / "metrics.md"
HOW_TO = ROOT / "docs" / "how-to" / "prometheus.md"
ROW = re.compile(r"^\| `(phasegate_\w+)` \|.*\|$", re.MULTILINE)


def row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.text} |"


def section(page: str, title: str) -> str:
    return page.partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_the_page_lists_each_metric_as_it_is_where_it_is_and_no_other() -> None:
    page = PAGE.read_text()
    for title, metrics in (("Counted in each process", COUNTED), ("Read by the service", (*READ, *SERVED))):
        rows = [found[0] for found in ROW.finditer(section(page, title))]
        assert rows == [row(metric) for metric in metrics], title
    assert len(ROW.findall(page)) == len(COUNTED) + len(READ) + len(SERVED)


def test_a_metric_that_the_pages_name_exists() -> None:
    known = {metric.name for metric in (*COUNTED, *READ, *SERVED)}
    for page in (PAGE, HOW_TO):
        named = {
            re.sub(r"_(bucket|count|sum)$", "", name) for name in re.findall(r"phasegate_[a-z_]+", page.read_text())
        }
        assert named <= known, page.name


def test_the_page_names_every_bucket() -> None:
    page = PAGE.read_text()
    for metric in COUNTED:
        if metric.buckets:
            assert ", ".join(f"{bound:g}" for bound in metric.buckets) in page, metric.name
