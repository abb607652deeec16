"""The means that must catch a mutant of what watches: small scenes in which nothing but it can fail."""

import pytest

from phasegate.alerts.delivery import CLAIM_S
from phasegate.base import findings
from phasegate.channel import Note, Reply
from tests.check import test_health
from tests.explain import test_lateness
from tests.support.alert_scenes import CHANNEL, Killed, found
from tests.support.pipelines import PLAN, shop


def what_raises_is_not_evaluated() -> None:
    """A check that cannot reach the warehouse is not evaluated, and the exit code says so."""
    with pytest.MonkeyPatch.context() as patch:
        test_health.test_what_cannot_be_reached_is_not_evaluated_and_the_others_go_on(patch)


def no_check_proves_nothing() -> None:
    """That nothing was looked at is no pass."""
    assert findings.exit_code([]) == findings.UNCHECKED


def lateness_has_its_zone() -> None:
    """A time is of the zone that the step names."""
    test_lateness.test_a_time_for_all_modes_is_in_its_own_zone_and_with_its_own_patience()


def never_is_the_worst_kind_of_late() -> None:
    """What never came is found."""
    test_lateness.test_without_a_calendar_every_date_is_expected()


class Dies:
    """A channel in whose hands the process dies."""

    def send(self, note: Note, /, *, ref: str) -> Reply:
        raise Killed(note.id, ref)


class Hears:
    """A channel that takes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def send(self, note: Note, /, *, ref: str) -> Reply:
        self.told.append(note.kind)
        return Reply(ref=ref)


def an_alert_outlives_who_was_to_send_it() -> None:
    """Whoever dies between the claim and the sending leaves the message to the next."""
    made, hears = shop(plan=PLAN + CHANNEL), Hears()
    incidents = made.pipeline.alerts
    incidents.reach({"ops": Dies()})
    incidents.take([found("a")], started=incidents.start())
    with pytest.raises(Killed):
        incidents.send()
    incidents.reach({"ops": hears})
    made.clock.at += CLAIM_S + 60
    incidents.send()
    assert hears.told == ["opened"]
