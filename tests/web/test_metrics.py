"""``GET /metrics``: what the process counts, what the documents say, and the truth when there is no store."""

import pytest

from phasegate.errors import Unavailable
from phasegate.observe.metrics import COUNTED
from phasegate.web.gauges import READ
from phasegate.web.service import SERVED
from tests.support.commands import RUN, Night
from tests.support.service import Served


def test_a_reader_gets_every_metric_with_its_type(night: Night, service: Served) -> None:
    night.whole()
    assert service.post("/complete", {"step": "odds", "run": RUN, "execution_id": "again"}).status_code == 200
    answer = service.get("/metrics", by="reader")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    sparse = {"phasegate_findings", "phasegate_result_late_seconds"}
    for metric in (*COUNTED, *READ, *SERVED):
        assert f"# TYPE {metric.name} {metric.kind}" in answer.text or metric.name in sparse, metric.name
    assert 'phasegate_up{pipeline="nba"} 1.0' in answer.text
    assert 'phasegate_completions_total{outcome="accepted",phase="raw",pipeline="nba",step="odds"} 1.0' in answer.text


def test_a_store_that_is_away_is_0_and_what_was_counted_is_still_there(
    service: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert service.post("/sweep").status_code == 200
    assert service.get("/metrics", by="reader").status_code == 200

    def away(*_given: object, **_named: object) -> None:
        raise Unavailable("the store is away")

    for verb in ("scan", "due", "next_due"):
        monkeypatch.setattr(service.pipeline.ports.store, verb, away)
    text = service.get("/metrics", by="reader").text
    assert 'phasegate_up{pipeline="nba"} 0.0' in text
    assert "phasegate_dead_letters" not in text
    assert 'phasegate_swept_documents_total{pipeline="nba"}' in text
