"""What is seen of the night: the platform's document at every step, what started phase 4, the tables at the end.

Beside it the same messages go through the old hand-off.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.night_google import DELIVERIES
from nba_props.demo.old_handoff import OldDocument, OldReport, replay
from nba_props.processor import PHASE
from nba_props.sources.synthetic import THE_NIGHT, night_of_2026_02_03
from phasegate import Pipeline
from phasegate.base.platform import COUNT, TRIGGERED

DOCUMENT = f"phase3_completion/{THE_NIGHT}"
EXPECTED, ROWS = 5, 348


class Watch:
    """Looks at the documents while the night runs; ``wrong``: what was not as it must be."""

    def __init__(
        self, pipeline: Pipeline, *, project: str, run: str, phase4: Callable[[], list[dict[str, Any]]]
    ) -> None:
        """``phase4``: returns the pushes that have started phase 4."""
        from google.cloud import firestore

        self._firestore = firestore.Client(project=project)  # as an old reader of the document has it
        self._pipeline, self._run, self._take = pipeline, run, phase4
        self.wrong: list[str] = []
        self.steps: list[tuple[int, bool]] = []
        self.changes = 0
        self.table: dict[str, object] = {}

    def changed(self) -> None:
        """Note that the inputs have changed once more, and all is settled."""
        self.changes += 1

    def look(self) -> None:
        """Compare the platform's document with itself, and with the gate."""
        found = self._firestore.document(DOCUMENT).get()
        if not found.exists:
            return
        data: Any = found.to_dict()
        entries = sum(not name.startswith("_") for name in data)
        step = (entries, data[TRIGGERED])
        if step in self.steps[-1:]:
            return
        self.steps.append(step)
        if data[COUNT] != entries:
            self.wrong.append(f"phase3_completion: _completed_count {data[COUNT]}, and {entries} entries")
        if data[TRIGGERED] and entries < EXPECTED:
            self.wrong.append(f"phase3_completion: _triggered with {entries} entries")

    def judge(self, commands: Mapping[str, tuple[int, str]], *, killed: str) -> None:
        """Compare the end with what it must be."""
        self.look()
        for text, (code, said) in commands.items():
            print(f"$ {text}\n{said.rstrip()}\nexit code {code}\n")
            if code:
                self.wrong.append(f"{text} exits with {code}")
        views = {view.phase: view for view in self._pipeline.views.why(self._run)}
        started = [one["message"]["attributes"]["ce-id"] for one in self._take()]
        triggers = {number.rpartition(".")[0] for number in started}
        counted = self._pipeline.query(
            """SELECT count(*) AS all_rows, count(DISTINCT player_lookup) AS players, count(DISTINCT game_id) AS games
            FROM nba_analytics.player_game_summary WHERE game_date = CAST($night AS DATE)""",
            {"night": str(THE_NIGHT)},
        )[0]
        rows, players = int(str(counted["all_rows"])), int(str(counted["players"]))
        fired = views["analytics"].generations[-1].number
        self.table = {
            "player rows": rows,
            "duplicate rows": rows - players,
            "entries in phase3_completion": self.steps[-1][0],
            "triggers to phase 4, lost": fired - views["precompute"].inputs["analytics"],
            "games handed to phase 4": counted["games"],
            "changes": self.changes,
            "times phase 4 was started": len(triggers),
        }
        must = {"player rows": ROWS, "duplicate rows": 0, "entries in phase3_completion": EXPECTED,
                "triggers to phase 4, lost": 0, "games handed to phase 4": 10, "changes": 2,
                "times phase 4 was started": self.changes}  # fmt: skip
        self.wrong += [f"{name}: {self.table[name]}, must be {value}" for name, value in must.items()
                       if self.table[name] != value]  # fmt: skip
        if fired != self.changes:
            self.wrong.append(f"phase 3 fired {fired} times after {self.changes} changes")
        if not self.steps or self.steps[-1] != (EXPECTED, True):
            self.wrong.append(f"phase3_completion ends as {self.steps[-1:]}")
        if not killed:
            self.wrong.append("no instance was killed")

    def count(self, delivered: Sequence[Mapping[str, Any]], *, second: Sequence[str]) -> None:
        """Count what was delivered: each completion three times, and after the second writer's report."""
        reports = Counter(str(body["execution_id"]) for body in delivered if body.get("phase") == PHASE)
        print(f"delivered: {len(delivered)} messages, {len(reports)} completions of phase 3 three times or more")
        if len(reports) < EXPECTED or min(reports.values()) < DELIVERIES:
            self.wrong.append(f"completions of phase 3 were delivered {dict(reports)}")
        if len(second) < EXPECTED or set(second) != {"duplicate"}:
            self.wrong.append(f"the second writer's reports were {', '.join(second) or 'none'}")

    def close(self) -> None:
        """Release the connection."""
        self._firestore.close()

    def show(self, old: Mapping[str, object]) -> None:
        """Print both hand-offs side by side."""
        print(f"{'':32}{'old hand-off':>14}{'Phasegate':>14}")
        for name, value in self.table.items():
            print(f"{name:32}{old.get(name, '')!s:>14}{value!s:>14}")
        seen = ", ".join(f"{entries}, triggered" if triggered else f"{entries}" for entries, triggered in self.steps)
        print(f"phase3_completion, entries at each step: {seen}")


def old_handoff(delivered: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    """Give the messages of phase 3 to the old orchestrator, in the order in which they came."""
    rows = night_of_2026_02_03()
    report: OldReport = replay(rows)
    document, deliveries = OldDocument(expected=EXPECTED), 0
    started = 0
    for body in delivered:
        if body.get("phase") != PHASE:
            continue
        processor, read = str(body["processor_name"]), document.completed_count
        if processor not in document.entries and len(document.entries) == EXPECTED - 1:
            # the second writer was first, with the count that it had read when two were missing
            document.merge_fields(processor, count_read=read - 1)
        started += document.deliver(processor)
        deliveries += 1
    return {
        "player rows": report.rows,
        "duplicate rows": report.duplicates,
        "entries in phase3_completion": f"{len(document.entries)}, says {document.completed_count}",
        "triggers to phase 4, lost": int(len(document.entries) == EXPECTED and not started),
        "games handed to phase 4": report.games_phase_4,
        "changes": 2,
        "times phase 4 was started": started,
    }
