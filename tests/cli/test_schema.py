"""Each command with ``--json`` has a schema, and prints what the schema says.

What is printed by any other test of the commands is compared with its schema too: see ``tests/support/commands.py``.
"""

import json
from collections.abc import Iterator

import click
import msgspec
import pytest

from nba_props import printed as of_nba_props
from phasegate.cli.entry import phasegate
from phasegate.printed.schemas import DIALECT, PRINTED, schema_of
from tests.support.command_days import Days, day
from tests.support.commands import PLAN, RUN, Night
from tests.support.deployment import PATH as DEPLOYED
from tests.support.json_schema import faults
from tests.support.printed import check_printed, command_of
from tests.support.repositories import Repository

CHANNEL = '\n[alerts.channel.ops]\nkind = "webhook"\n'


def with_json(group: click.Group, path: str = "") -> Iterator[str]:
    """Give the commands below a group that take ``--json``."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if any("--json" in one.opts for one in command.params):
            yield f"{path}{name}"
        if isinstance(command, click.Group):
            yield from with_json(command, f"{path}{name} ")


def test_each_command_with_json_has_a_schema_and_no_other() -> None:
    assert sorted(with_json(phasegate)) == sorted(PRINTED)


def test_a_command_without_a_schema_is_found() -> None:
    @click.group()
    def group() -> None: ...

    @group.command()
    @click.option("--json", "as_json", is_flag=True)
    def fresh(as_json: bool) -> None: ...

    assert [*with_json(group)] == ["fresh"]
    with pytest.raises(AssertionError, match="has no schema"):
        check_printed(("fresh", "--json"), "{}")


def test_every_command_prints_what_its_schema_says(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    (night.folder / "plan.toml").write_text(PLAN + CHANNEL)
    monkeypatch.setenv("PHASEGATE_ALERTS_OPS", "http://127.0.0.1:9/refused")
    night.whole()
    night.publish({"kind": "completion", "step": "nope", "run": RUN})
    (night.folder / "moved.jsonl").write_text(night("export").out)
    (night.folder / "done.json").write_text(json.dumps({"odds": {"completed_at": "2026-02-03T23:50:00Z"}}))
    (night.folder / "player_game.sql").write_text("SELECT nope FROM nba_raw.gamebook")
    Repository(night.folder / "code").commit("one", a="1")
    lines = (
        "init shop", "worker --until-idle", f"rerun {RUN} --step player_game", "status", f"why {RUN} --tables",
        f"logs {RUN}", f"health --date {RUN[:10]} --alert", "alerts", "alerts list", "alerts test",
        "reconcile --days 3 --fix", f"late --date {RUN[:10]}", "calendar --month 2026-02", "metrics --days 3",
        "leases --all", "audit", "sweep", "migrate --dry-run", "dead", "redrive --all", "adopt --yes", "tables",
        "plan check", "plan graph", "begin 2026-02-04.overnight",
        "begin 2026-02-04.overnight --step odds --json -- true", f"complete odds --run {RUN}", f"replan {RUN}",
        "backfill --from 2026-02-03 --to 2026-02-04 --dry-run", f"pause {RUN}", f"pause {RUN} --resume",
        f"cancel {RUN}", f"cancel {RUN} --undo", "import moved.jsonl",
        "import done.json --from-platform --dry-run", "doctor --store file:///done.json", "drift --repository code",
        f"deploy check --manifest {DEPLOYED} --part rules", f"deploy render --manifest {DEPLOYED} --first",
        f"deploy diff --manifest {DEPLOYED} --commands", f"deploy diff --manifest {DEPLOYED} --state infra",
        "tokens add admin --role operator", "tokens", "tokens list", "tokens revoke admin",
    )  # fmt: skip
    shown = {}
    for line in lines:
        words = line.split() if "--json" in line else [*line.split(), "--json"]
        done = night(*words)  # compares it with its schema
        assert done.out.startswith("{"), (line, done.err)
        shown[command_of(words)] = done.json
    (incident, *_) = shown["alerts"]["incidents"]
    shown["alerts close"] = night("alerts", "close", incident["key"].rpartition(":")[2], "--json").json
    shown["query"] = night(
        "query", "SELECT 1 AS n, DATE '2026-02-03' AS day, [CAST(1.5 AS DOUBLE)] AS list", "--json"
    ).json
    assert shown.keys() == PRINTED.keys()
    assert shown["query"]["rows"] == [{"n": 1, "day": "2026-02-03", "list": [1.5]}]


def test_a_date_of_several_modes_is_as_its_schema_says(days: Days) -> None:
    days.play(1, 2)
    assert len(days("why", day(2), "--json").json["runs"]) == 2


@pytest.mark.parametrize("command", PRINTED)
def test_the_command_prints_the_schema_of_each(command: str, night: Night) -> None:
    done = night("schema", *command.split())
    assert (done.code, json.loads(done.out)) == (0, schema_of(command))
    assert json.loads(done.out)["$schema"] == DIALECT


def test_the_schemas_are_listed_and_an_unknown_command_is_refused(night: Night) -> None:
    assert night("schema").out.splitlines() == list(PRINTED)
    done = night("schema", "plan", "chek")
    assert (done.code, done.err) == (2, "phasegate: schema: no command 'plan chek' has --json; see phasegate schema\n")


def test_what_a_schema_does_not_allow_is_found() -> None:
    schema = schema_of("sweep")
    fine = {"swept": 3, "next_due": "2026-02-03T12:00:00Z", "errors": ["a"]}
    assert faults(schema, fine) == []
    for wrong in (
        {"swept": True},
        {"swept": "3"},
        {"next_due": "soon"},
        {"errors": [1]},
        {"errors": None},
        {"more": 1},
    ):
        assert faults(schema, {**fine, **wrong}) != [], wrong
    assert faults(schema, {"swept": 3, "errors": []}) == ["$: next_due is missing"]
    assert faults(schema_of("health"), {"proofs": [{"fault": "", "code": "", "found": 1, "text": ""}]}) != []


def test_every_object_of_a_schema_says_what_it_is() -> None:
    for command in PRINTED:
        parts = schema_of(command)["$defs"]
        assert isinstance(parts, dict)
        assert [name for name, part in parts.items() if not part["description"].endswith(".")] == []


def test_the_summary_of_a_replay_is_as_its_schema_says() -> None:
    summary = of_nba_props.Summary(
        dates=1, games=2, tables={"a.b": of_nba_props.Table(rows=3, digest="d")},
        gates={"raw": of_nba_props.Gate(fired=1, generations=1)}, duplicates_removed=0, refused_as_stale=0,
        inputs_changed=0, dead_letters=0, unsettled=(), drifted=(), missing_dates=("2026-02-03",), unknown_dates=(),
        not_fetched=(), held_back=(), to_check=(), crashes=0, builds={"a": 1}, seconds={"a": 0.5}, seconds_total=0.5,
    )  # fmt: skip
    value = json.loads(json.dumps(msgspec.to_builtins(summary)))
    assert faults(of_nba_props.schema("run"), value) == []
    assert faults(of_nba_props.schema("run"), {**value, "games": None}) != []
