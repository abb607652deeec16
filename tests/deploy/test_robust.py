"""Whatever stands in a manifest, or gcloud prints, is judged: nothing of it ends in an error of Python."""

import json
import random
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from typing import Any

import msgspec
import pytest

from phasegate.answers.deployed import Part, checked, faults_of
from phasegate.cli.commands.deploy import variables
from phasegate.deploy import gcloud, terraform
from phasegate.deploy.compare import Comparison
from phasegate.deploy.manifest import Manifest
from phasegate.deploy.reading import ManifestLines, read
from phasegate.deploy.services import kept_of
from phasegate.errors import Unavailable
from phasegate.plan.toml_lines import parse
from tests.support.deployment import TEXT, as_meant, manifest

OTHERS: tuple[Any, ...] = (None, "", "x", 3, -1.5, True, [], {}, [[]], [{}], {"x": {}})
PARTS: tuple[Part, ...] = ("manifest", "rules", "roles", "alerts", "provider")
TRIES = 300


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Give the place of every value within another."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield (*path, key)
        yield from places(one, (*path, key))


def put(whole: Any, place: tuple[str | int, ...], value: object) -> None:
    for key in place[:-1]:
        whole = whole[key]
    whole[place[-1]] = value


def to_toml(value: Any) -> str:
    """Spell a value as TOML does, tables in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {to_toml(one)}" for key, one in value.items()) + "}"
    return f"[{', '.join(map(to_toml, value))}]" if isinstance(value, list) else json.dumps(value)


def test_any_value_anywhere_in_a_manifest_is_a_fault_or_fine() -> None:
    chance = random.Random(7)
    every, seen = [*places(tomllib.loads(TEXT))], set()
    for _ in range(TRIES // 3):
        body = tomllib.loads(TEXT)
        put(body, chance.choice(every), chance.choice(OTHERS[1:]))
        text = "\n".join(f"{json.dumps(key)} = {to_toml(value)}" for key, value in body.items())
        source, found, faults = read(text, name="m")
        outcomes = checked(source, found, faults, parts=PARTS, settings=variables())
        seen |= {one.code for one in faults_of(outcomes)}
        assert (found is None) == any(one.code < "DP004" for one in faults)
    assert "DP003" in seen
    assert len(seen) > 4


def test_any_answer_of_gcloud_is_compared() -> None:
    chance = random.Random(7)
    source, found = manifest()
    meant = as_meant()
    every, seen = [*places(meant)], set()
    for _ in range(TRIES):
        state = deepcopy(meant)
        put(state, chance.choice(every), chance.choice(OTHERS))
        seen |= {one.code for one in faults_of(Comparison(source, found, gcloud.ProjectState(state, {})).results())}
        with suppress(Unavailable):  # where it is not understood, nothing is rendered
            terraform.render(found, kept=kept_of(found, state["services"]))
    assert len(seen) > 10


@pytest.mark.parametrize("other", OTHERS)
def test_an_answer_that_is_something_else_altogether_is_compared(other: object) -> None:
    source, found = manifest()
    state = dict.fromkeys(as_meant(), other)
    assert faults_of(Comparison(source, found, gcloud.ProjectState(state, {})).results())


def test_the_smallest_manifest_is_judged_and_rendered() -> None:
    text = 'project = "nba-props"\nregion = "r"\ntimezone = "UTC"\nservice = {}\naccount = {}\n'
    source, found, faults = read(text, name="m")
    assert faults == ()
    assert found is not None
    outcomes = checked(source, found, faults, parts=PARTS, settings=variables())
    assert faults_of(outcomes) == []
    assert [*terraform.resources(found)] == []
    assert gcloud.commands(found)


def test_a_manifest_made_by_code_is_named_without_lines() -> None:
    made = ManifestLines(parse("", name="m"))
    assert msgspec.convert(tomllib.loads(TEXT), Manifest).project == "nba-props-prod"
    assert made.fault("DP001", ("service", "x"), "t", "m").place == "m:1"
