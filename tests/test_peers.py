"""The models of hand-offs fail as their patterns do, and the page of the comparison has what they print."""

import random
import re

import pytest

from benchmarks import peer_writes
from benchmarks.peer_handoffs import MODELS, AnyUpdated, Counter, EachUpdated, Handoff, Latched, Outbox, PublishedFirst
from benchmarks.peers import Score, play, scored
from tests.support.real_data import ROOT

PAGE = (ROOT / "docs" / "explanation" / "comparison.md").read_text()


@pytest.mark.parametrize("model", MODELS)
def test_every_model_hands_on_once_while_nothing_goes_wrong(model: type[Handoff]) -> None:
    score = scored(model, seeds=20, copies=1, crash=0.0)
    assert (score.first, score.doubled, score.early) == (0, 0, 0)
    assert score.change == (0 if model is AnyUpdated else 20)


def test_a_counter_is_wrong_by_duplicates_alone() -> None:
    score = scored(Counter, seeds=20, copies=3, crash=0.0)
    assert min(score.first, score.early) > 10


def test_crashes_alone_lose_what_is_latched_first_and_double_what_is_published_first() -> None:
    latched, published = (scored(model, seeds=60, copies=1, crash=0.05) for model in (Latched, PublishedFirst))
    assert (latched.first > 0, latched.doubled) == (True, 0)
    assert (published.first, published.doubled > 0) == (0, True)


def test_an_outbox_loses_and_doubles_nothing_but_the_change() -> None:
    score = scored(Outbox, seeds=60, copies=3, crash=0.05)
    assert (score.first, score.change, score.doubled, score.early) == (0, 60, 0, 0)
    assert score.crashes > 0


def test_a_start_with_all_results_is_no_early_one_and_the_same_results_twice_are_a_double() -> None:
    played = EachUpdated(random.Random(1), crash=0.0)
    first, change = play(played, random.Random(1), copies=1)
    played.starts = [{"one": 1}, dict(first), dict(first)]
    score = Score()
    score.add(played, first=first, change=change)
    assert (score.first, score.change, score.doubled, score.early) == (0, 1, 1, 1)


def test_the_page_has_the_lines_that_the_models_print_and_zeros_for_phasegate() -> None:
    for model in MODELS:
        score = scored(model, seeds=200, copies=3, crash=0.05)
        assert score.line(model.name) in PAGE
    for name, instance in peer_writes.MODELS.items():
        assert peer_writes.modelled(name, instance, seeds=200) in PAGE
    zeros = [re.findall(r"\d+", line) for line in PAGE.splitlines() if re.match(r"Phasegate  +\d", line)]
    assert [line[:-1] for line in zeros] == [["0"] * 4, ["0"] * 2]
