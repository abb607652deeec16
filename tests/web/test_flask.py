"""An existing Flask service gains a gate in two lines of its view."""

import importlib.util
import re
from types import ModuleType

import pytest

from phasegate import parse_run
from phasegate.errors import Ambiguous, BadInput, Busy, Contended, NotFound, PhasegateError, Unavailable
from tests.support.real_data import ROOT

SOURCE = (ROOT / "examples" / "gate_a_flask_service.py").read_text()
MARKED = re.compile(r"^ +.*  # (?:one|two)\n", re.MULTILINE)


def module_of(source: str) -> ModuleType:
    spec = importlib.util.spec_from_loader("flask_example", loader=None)
    assert spec is not None
    made = importlib.util.module_from_spec(spec)
    exec(compile(source, "flask_example", "exec"), vars(made))  # noqa: S102  the example is what is tested
    return made


def ungated(source: str) -> str:
    """Return the service as it was: without the two lines, and what they enclose moved back."""
    assert len(MARKED.findall(source)) == 2
    return MARKED.sub("", source).replace("        rows = summarize", "    rows = summarize")


def test_the_view_is_as_it_was_but_for_two_lines() -> None:
    before, after = module_of(ungated(SOURCE)), module_of(SOURCE)
    for one in (before, after):
        answer = one.app.test_client().post("/process", json={"run": "2026-02-03.daily"})
        assert (answer.status_code, answer.json) == (200, {"rows": 348})
    assert before.pg.views.phases() == []
    (analytics,) = after.pg.views.why("2026-02-03.daily")
    assert [(member.name, member.rows) for member in analytics.members] == [("summary", 348)]
    for one in (before, after):
        one.pg.close()


@pytest.mark.parametrize(
    ("error", "status"),
    [(BadInput("no"), 400), (NotFound("no"), 404), (Busy("no"), 409), (Contended("k", 48), 429),
     (Unavailable("no"), 503), (Ambiguous("no"), 503), (PhasegateError("no"), 500)],
    ids=str,
)  # fmt: skip
def test_an_error_has_the_status_that_the_service_gives_it(
    error: PhasegateError, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = module_of(SOURCE)

    def fail(*_: object, **__: object) -> object:
        raise error

    monkeypatch.setattr(service.pg, "begin", fail)
    answer = service.app.test_client().post("/process", json={"run": "2026-02-03.daily"})
    assert (answer.status_code, answer.json["exit_code"]) == (status, 2)
    assert ("Retry-After" in answer.headers) == (status in (409, 429, 503))
    service.pg.close()


def test_what_a_view_raises_is_a_failure_of_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    service = module_of(SOURCE)
    monkeypatch.setattr(service, "summarize", lambda _date: 1 // 0)
    answer = service.app.test_client().post("/process", json={"run": "2026-02-03.daily"})
    assert answer.status_code == 500
    (attempt,) = service.pg.views.log(parse_run("2026-02-03.daily"), "summary")
    assert attempt.error.startswith("ZeroDivisionError")
    service.pg.close()
