"""The actions of an operator, spelled as the commands that do them. Pure.

A command that a finding or a state names is an action if a service can carry it out too; others, such as what a source
must deliver, are for a person.
"""

import shlex
from collections.abc import Mapping
from typing import Literal, NamedTuple

ActionVerb = Literal[
    "rerun", "redrive", "rebuild", "fix", "pause", "resume", "cancel", "restore", "replan", "sweep", "work", "let go",
    "discard", "close",
]  # fmt: skip


class CommandForm(NamedTuple):
    """How a command spells an action.

    ``what``: whether it names a run, a key or an id as its argument. ``needs``: the flags and options that make it this
    action.
    """

    words: tuple[str, ...]
    what: Literal["", "optional", "needed"] = ""
    options: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


# The first that fits counts: `pause --resume` comes before `pause`.
FORMS: Mapping[ActionVerb, CommandForm] = {
    "rerun": CommandForm(("rerun",), "needed", ("--step",), needs=("--step",)),
    "redrive": CommandForm(("redrive",), "optional", ("--step",), ("--force", "--all")),
    "rebuild": CommandForm(
        ("backfill",), "", ("--from", "--to", "--mode", "--steps"), ("--cascade",), ("--from", "--to")
    ),
    "fix": CommandForm(("reconcile",), "", ("--from", "--to", "--phase"), ("--fix",), ("--fix", "--from", "--to")),
    "resume": CommandForm(("pause",), "needed", ("--phase",), ("--resume",), ("--resume",)),
    "pause": CommandForm(("pause",), "needed", ("--phase", "--reason")),
    "restore": CommandForm(("cancel",), "needed", (), ("--undo",), ("--undo",)),
    "cancel": CommandForm(("cancel",), "needed", ("--reason",)),
    "replan": CommandForm(("replan",), "needed", ("--phase",)),
    "sweep": CommandForm(("sweep",)),
    "work": CommandForm(("worker",), "", (), ("--until-idle",), ("--until-idle",)),
    "let go": CommandForm(("leases",), "", ("--let-go",), needs=("--let-go",)),
    "discard": CommandForm(("dead",), "", ("--discard",), needs=("--discard",)),
    "close": CommandForm(("alerts", "close"), "needed"),
}
COMMAND_MAX = 1_000


class OperatorAction(NamedTuple):
    """One action.

    ``what``: the run, key or id that it names. ``given``: its options; a flag has "" as its value.
    """

    verb: ActionVerb
    what: str = ""
    given: Mapping[str, str] = {}

    def __str__(self) -> str:
        words = ["phasegate", *FORMS[self.verb].words, *([self.what] if self.what else [])]
        for name, value in self.given.items():
            words += [name] if name in FORMS[self.verb].flags else [name, value]
        return shlex.join(words)

    def has(self, flag: str) -> bool:
        """Return whether a flag is given."""
        return flag in self.given

    def get(self, option: str) -> str | None:
        """Return the value of an option, None if it is not given."""
        return self.given.get(option)

    def with_option(self, option: str, value: str) -> "OperatorAction":
        """Return the same action with an option if it takes it; "": without it."""
        others = {name: one for name, one in self.given.items() if name != option}
        return self._replace(given={**others, option: value} if value and self.takes(option) else others)

    def takes(self, option: str) -> bool:
        """Return whether the action has such an option."""
        return option in FORMS[self.verb].options


def parse_action(command: str, /) -> OperatorAction | None:
    """Return the action that a command spells; None if it is none.

    >>> parse_action("phasegate redrive 2026-02-03.overnight --step odds")
    OperatorAction(verb='redrive', what='2026-02-03.overnight', given={'--step': 'odds'})
    >>> parse_action("phasegate status") is None
    True
    """
    try:
        words = shlex.split(command) if len(command) <= COMMAND_MAX else []
    except ValueError:  # a quotation mark that is not closed
        return None
    if not words or words[0] != "phasegate":
        return None
    for verb, spelling in FORMS.items():
        size = len(spelling.words)
        if tuple(words[1 : 1 + size]) == spelling.words and (found := _read(verb, words[1 + size :])) is not None:
            return found
    return None


def _read(verb: ActionVerb, words: list[str]) -> OperatorAction | None:
    spelling, what, given = FORMS[verb], "", dict[str, str]()
    left = iter(words)
    for word in left:
        if word in given:
            return None
        if word in spelling.flags:
            given[word] = ""
        elif word in spelling.options and (value := next(left, None)) is not None and not value.startswith("--"):
            given[word] = value
        elif not word.startswith("-") and spelling.what and not what:
            what = word
        else:
            return None
    is_whole = (bool(what) or spelling.what != "needed") and all(name in given for name in spelling.needs)
    return OperatorAction(verb, what, given) if is_whole else None
