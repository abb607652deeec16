"""How the NBA platform's services name what a plan has: the table ``[platform]``. Pure."""

from collections.abc import Collection, Mapping

import msgspec

from phasegate.base.platform import one_name
from phasegate.plan.toml_lines import spell, suggest
from phasegate.plan.toml_read import Section

PLATFORM_KEYS = ("processors",)


class Platform(msgspec.Struct, frozen=True, kw_only=True):
    """That messages in the platform's form are taken.

    ``processors``: the step of each processor whose name is not that of its step.
    """

    processors: Mapping[str, str] = {}

    def step_of(self, processor: str, /, *, steps: Collection[str]) -> str | None:
        """Return the step that a processor builds, None for an unknown one."""
        name = self.processors.get(processor) or one_name(processor)
        return name if name in steps else None


def read_platform(top: Section, *, external: Mapping[str, bool]) -> Platform | None:
    """Read the table, None without one.

    ``external``: step -> whether another system builds it.
    """
    if not top.has("platform"):
        return None
    section = top.section("platform", wanted='a table such as [platform] with processors = { Class = "step" }')
    section.only(PLATFORM_KEYS)
    if not section.has("processors"):
        return Platform()
    inner = section.section("processors", wanted='a table such as { PlayerGameSummaryProcessor = "player_game" }')
    processors = {name: inner.text(name, wanted="the name of a step") for name in inner.body}
    for name, step in processors.items():
        if step not in external:
            raise inner.error(name, f"unknown step {spell(step)}{suggest(step, known=external)}")
        if not external[step]:
            raise inner.error(name, f"step {spell(step)} is built by Phasegate, which takes no report of it; remove it")
    return Platform(processors=processors)
