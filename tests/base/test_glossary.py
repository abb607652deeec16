"""One word means one thing, and every word of a document, message, finding or output has its meaning."""

import typing

import pytest

from phasegate import base, channel, credentials
from phasegate.base import findings
from phasegate.base.codec import State
from phasegate.calendar import month
from phasegate.cli.kit import outcomes as reports
from phasegate.explain import coverage, lateness, member_view, phase_view
from phasegate.gate import decisions, operator
from tests.support import glossary
from tests.support.real_data import ROOT

GLOSSARY = glossary.table_of(base.__doc__ or "")
KNOWN = glossary.words_of(GLOSSARY)
STRUCTS = glossary.structs(list(glossary.modules()))
# Words of plain English, alone or as a part of a field's name, that mean here what they mean anywhere.
PLAIN = {
    "after", "applied", "at", "back", "before", "body", "built", "by", "changed", "changes", "changing", "command",
    "completed", "count", "counted", "data", "day", "ends", "finished", "first", "found", "from", "full",
    "hash", "id", "last", "least", "left", "max", "name", "next", "number", "numbers", "of", "order", "orders",
    "outcome", "path", "pinged", "purpose", "reason", "ref", "rows", "seen", "sends", "since", "start", "started",
    "state", "status", "subject", "taken", "text", "topic", "tries", "until", "upto", "what",
}  # fmt: skip
SHOWN = (
    phase_view.PhaseState, member_view.MemberState, lateness.Punctuality, coverage.Cover, findings.Severity,
    findings.Verdict, channel.NoteKind, month.DayState, credentials.CredentialState,
)  # fmt: skip


def test_no_word_has_two_meanings() -> None:
    words = [word for _, listed, _ in GLOSSARY for word in listed.split(", ")]
    assert sorted(words) == sorted(KNOWN)


def test_the_page_of_the_docs_is_the_glossary() -> None:
    page = (ROOT / "docs" / "reference" / "glossary.md").read_text()
    assert glossary.table_of_page(page) == GLOSSARY


@pytest.mark.parametrize("struct", sorted(STRUCTS, key=str), ids=lambda one: one.__name__)
def test_every_word_that_a_document_or_message_holds_is_in_the_glossary(struct: type) -> None:
    assert glossary.lacking(glossary.values_of(struct), known=KNOWN) == set()
    fields = [field for field in typing.get_type_hints(struct) if not field.startswith("_")]
    assert glossary.lacking_fields(fields, known=KNOWN, plain=PLAIN) == set()


def test_every_state_verdict_and_severity_that_is_shown_is_in_the_glossary() -> None:
    assert glossary.lacking({word for shown in SHOWN for word in typing.get_args(shown)}, known=KNOWN) == set()


@pytest.mark.parametrize("module", [decisions, operator], ids=lambda one: one.__name__)
def test_every_outcome_that_a_document_remembers_is_in_the_glossary(module: typing.Any) -> None:
    found = glossary.outcomes(ROOT / "src" / "phasegate" / "gate" / f"{module.__name__.rpartition('.')[2]}.py")
    assert found
    assert glossary.lacking(found | set(reports.WORDS), known=KNOWN) == set()


class Cocktail(State, frozen=True):
    shaken_at: float
    olives: int
    state: typing.Literal["dry", "fresh"]


def test_a_word_that_is_missing_is_found() -> None:
    assert glossary.lacking(glossary.values_of(Cocktail), known=KNOWN) == {"dry"}
    fields = typing.get_type_hints(Cocktail)
    assert glossary.lacking_fields(fields, known=KNOWN, plain=PLAIN) == {"shaken_at", "olives"}
    [(_, *row), *_] = GLOSSARY
    assert glossary.table_of_page(f"| {' | '.join(row)} |\n") != GLOSSARY
