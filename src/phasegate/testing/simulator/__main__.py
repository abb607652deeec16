"""The command that plays one seed again and prints its story.

Usage: python -m phasegate.testing.simulator SEED [NAME=VALUE ...]. The names are those of ``Faults``, as a failing
seed's own ``replay`` spells them: ``crash=0.1 skew_s=(0.0,)``.
"""

import ast
import sys
from collections.abc import Sequence
from dataclasses import fields

from phasegate.errors import BadInput
from phasegate.testing.simulator import Faults, ScheduleResult, simulate

ARGUMENTS_MIN = 1


def main(argv: Sequence[str]) -> int:
    """Print the story and the objection, if there is one.

    Return 1 for a violation, 2 for wrong arguments.
    """
    try:
        seed, faults = _read(argv)
        outcome = simulate(seed, faults=faults)
    except BadInput as e:
        sys.stderr.write(f"{e}\n")
        return 2
    sys.stdout.write("".join(f"{line}\n" for line in outcome.story))
    sys.stdout.write(f"{_summary(outcome)}\n")
    return 1 if outcome.violation else 0


def _read(argv: Sequence[str]) -> tuple[int, Faults]:
    usage = "write: python -m phasegate.testing.simulator SEED [NAME=VALUE ...]"
    if len(argv) < ARGUMENTS_MIN or not argv[0].isdecimal():
        raise BadInput(f"the first argument is not a seed; {usage}")
    known, values = {one.name for one in fields(Faults)}, {}
    for text in argv[1:]:
        name, _, value = text.partition("=")
        if name not in known:
            raise BadInput(f"{text}: there is no fault {name!r}; choose from {', '.join(sorted(known))}")
        try:
            is_text = isinstance(getattr(Faults(), name), str)
            values[name] = ast.literal_eval(repr(value) if is_text else value)
        except (ValueError, SyntaxError):
            raise BadInput(f"{text}: {value!r} is not a number; {usage}") from None
    return int(argv[0]), Faults(**values)


def _summary(outcome: ScheduleResult) -> str:
    summary = f"seed {outcome.seed}: {outcome.calls} port calls, {outcome.crashes} crashes, {outcome.changes} changes"
    return f"{summary}; {outcome.violation or 'every promise held'}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
