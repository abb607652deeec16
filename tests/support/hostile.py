"""A pipeline in whose documents every free text is hostile, one text for each run."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from phasegate import Pipeline, connect, parse_run
from phasegate.audit import About, AuditLog
from phasegate.base.findings import CheckResult, Finding
from phasegate.observe.counting import CountingObserver
from phasegate.web.page.acts import place_of
from tests.support.commands import HOUR, MORNING, PLAN, SQL, StillClock

RIGHT_TO_LEFT = "\u202egnp.exe\u2066 \u05d0\u05d1\u05d2"
LONG = "x" * 10_000
HOSTILE = {
    "2026-02-01.overnight": "<script>alert('a script')</script>",
    "2026-02-02.overnight": RIGHT_TO_LEFT,
    "2026-02-03.overnight": LONG,
    "2026-02-04.overnight": "\"'><img src=x onerror=alert(1)><svg/onload=alert(2)>{{ 7 * 7 }}</textarea></pre>",
}
LEASES = "lease:main:nba_raw.gamebook:"


def hostile(folder: Path) -> tuple[StillClock, list[str]]:
    """Write the pipeline into a folder; return its clock, and the paths of the acts' pages."""
    (folder / "plan.toml").write_text(PLAN + '\n[alerts.channel.ops]\nkind = "webhook"\n')
    (folder / "player_game.sql").write_text(SQL)
    clock = StillClock()
    clock.at = MORNING + 3 * HOUR
    with closing(connect(folder / "plan.toml", clock=clock, observer=CountingObserver(),
                         state=folder / ".phasegate")) as pipeline:  # fmt: skip
        acts = [_filled(pipeline, run, text) for run, text in HOSTILE.items()]
        found = [Finding(code="PG005", subject=text, text=text, command=f"phasegate why {text}", cause=text,
                         evidence={"path": text}) for text in HOSTILE.values()]  # fmt: skip
        pipeline.alerts.take([CheckResult(check="unsent", findings=tuple(found))], started=pipeline.alerts.start())
    clock.at += 120
    return clock, acts


def _filled(pipeline: Pipeline, run: str, text: str) -> str:
    player = {"game_date": run[:10], "player": text, "points": 1.0, "updated": 1}
    with pipeline.begin(run, step="gamebook") as begun:
        begun.write([player])
        begun.complete()
    failed = {"step": "odds", "run": run, "status": "failed", "error": text, "execution_id": text[:200]}
    pipeline.complete(failed)
    pipeline.runs.pause("analytics", parse_run(run), reason=text)
    pipeline.runs.void("precompute", parse_run(run), reason=text)
    pipeline.runs.quarantine.put("nba.completions", {"kind": text, "step": text, "run": text}, reason=text)
    _rewrite(pipeline, f"{LEASES}{run[:10]}", lambda body: body.update(
        holder=text, purpose=text[:200], since=MORNING, until=MORNING + 60))  # fmt: skip
    about = About(run=run)
    with AuditLog("nba", pipeline.ports).acting(text, by=text, via="command line", about=about) as act:
        act.outcome = text
    return place_of(act.key)


def _rewrite(pipeline: Pipeline, key: str, change: Callable[[dict[str, Any]], object]) -> None:
    doc = pipeline.ports.store.read(key)
    assert doc is not None, key
    body = json.loads(json.dumps(doc.body))
    change(body)
    pipeline.ports.store.write(key, body, due=MORNING, expect=doc.version)
