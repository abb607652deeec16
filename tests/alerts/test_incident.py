"""One incident per cause: what evaluations make of it, whatever their order, and what channels must be told."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from phasegate.alerts import evaluations, notes
from phasegate.alerts import incident as incidents
from phasegate.alerts.delivery import CLAIM_S, RETRY_AFTER_MAX_S
from phasegate.alerts.grouping import FINDINGS_MAX, grouped
from phasegate.alerts.incident import Context, Incident
from phasegate.base.codec import Decision, decode, encode
from phasegate.base.findings import CheckResult, Finding
from phasegate.plan.policy import ChannelRule, Policy

OPS = ChannelRule(name="ops", kind="webhook")
PAGER = ChannelRule(name="pager", kind="apprise", escalated=True, digest=False)
POLICY = Policy(channels=(OPS,))
HOUR = 3600.0


def finding(code: str = "PG003", subject: str = "raw of 2026-02-03", *, cause: str = "c", **more: object) -> Finding:
    return Finding(**{"code": code, "subject": subject, "text": "t", "command": "do it", "cause": cause, **more})  # type: ignore[arg-type]


def seen(*findings: Finding, check: str = "a", error: str = "") -> CheckResult:
    return CheckResult(check=check, findings=findings, error=error, evaluated=1)


class Story:
    """One cause and its checks, evaluation after evaluation; what is to be told is taken as told."""

    def __init__(self, policy: Policy = POLICY) -> None:
        self.policy, self.checks = policy, dict[str, tuple[float, ...]]()
        self.told: list[tuple[str, str]] = []
        self.incident: Incident | None = None

    def context(self, now: float, held_until: float | None = None) -> Context:
        return Context(checks=self.checks, policy=self.policy, now=now, held_until=held_until)

    def evaluate(self, *outcomes: CheckResult, at: float, now: float | None = None, held: float | None = None) -> str:
        now, answer = at if now is None else now, ""
        current = [o for o in outcomes if not incidents.is_late(o.check, started=at, checks=self.checks)]
        for group in grouped(current):
            if group.cause == "c":
                self.incident, answer = incidents.found(group, started=at, context=self.context(now, held))(
                    self.incident
                )
        self.checks = incidents.evaluated(current, started=at, over=self.checks)
        self.incident, _ = incidents.updated(self.context(now, held))(self.incident)
        self.tell(now, held)
        return answer

    def tell(self, now: float, held: float | None = None) -> None:
        for rule in self.policy.channels:
            take = incidents.claim(rule.name, attempt=f"{now}", context=self.context(now, held))
            self.incident, what = take(self.incident)
            if what:
                self.told.append((rule.name, what))
                done = incidents.answered(rule.name, what, attempt=f"{now}", context=self.context(now, held))
                self.incident, _ = done(self.incident)

    @property
    def words(self) -> list[str]:
        return [what for _, what in self.told]


def open_one(policy: Policy = POLICY, *, at: float = 100.0, code: str = "PG003") -> Story:
    story = Story(policy)
    assert story.evaluate(seen(finding(code)), at=at) == "opened"
    return story


def the(story: Story) -> Incident:
    assert story.incident is not None
    return story.incident


def test_an_incident_is_told_once_however_often_it_is_found_and_resolved_by_two_clean_evaluations() -> None:
    story = Story()
    answers = [story.evaluate(seen(finding()), at=HOUR * n) for n in range(1, 25)]
    assert answers == ["opened"] + ["found"] * 23
    assert (the(story).count, the(story).first_at, the(story).last_at) == (24, HOUR, 24 * HOUR)
    story.evaluate(seen(), at=25 * HOUR)
    assert the(story).state == "open"
    story.evaluate(seen(), at=26 * HOUR)
    assert the(story).state == "resolved"
    assert story.words == ["opened", "resolved"]
    assert the(story).due is None


def test_one_clean_evaluation_between_two_findings_resolves_nothing() -> None:
    story = open_one()
    for n in range(2, 10):
        story.evaluate(seen(finding()) if n % 2 else seen(), at=100.0 * n)
    assert the(story).state == "open"
    assert story.words == ["opened"]


def test_what_could_not_be_evaluated_resolves_nothing() -> None:
    story = open_one()
    for n in range(2, 10):
        story.evaluate(seen(error="no such table"), at=100.0 * n)
    story.evaluate(seen(check="another"), at=2_000.0)
    assert the(story).state == "open"


def test_of_several_checks_that_found_it_all_must_come_back_clean() -> None:
    story = Story()
    story.evaluate(seen(finding()), seen(finding(), check="b"), at=100.0)
    for n in range(2, 5):
        story.evaluate(seen(), at=100.0 * n)
    assert the(story).state == "open"
    story.evaluate(seen(check="b"), at=500.0)
    assert the(story).state == "open"
    story.evaluate(seen(check="b"), at=600.0)
    assert the(story).state == "resolved"


def test_an_older_evaluation_that_arrives_late_changes_nothing() -> None:
    story = open_one(at=100.0)
    story.evaluate(seen(finding()), at=200.0)
    before = the(story)
    for outcome in (seen(), seen(finding(text="older")), seen(error="x")):
        assert story.evaluate(outcome, at=150.0, now=210.0) == ""
        assert the(story) == before
    for at in (300.0, 400.0):
        story.evaluate(seen(), at=at)
    resolved = the(story)
    story.evaluate(seen(finding()), at=350.0, now=410.0)
    assert the(story) == resolved
    # nor where the newer ones became known only after it was looked up whether there are any
    late, _ = incidents.found(grouped([seen(finding())])[0], started=250.0, context=Story().context(420.0))(resolved)
    assert late == resolved


def test_an_opening_that_a_newer_evaluation_has_overtaken_is_told_to_nobody() -> None:
    story = Story()
    story.evaluate(seen(), at=200.0)
    group = grouped([seen(finding())])[0]
    story.incident, _ = incidents.found(group, started=100.0, context=Story().context(201.0))(None)
    story.tell(202.0)
    story.evaluate(seen(), at=300.0)
    assert the(story).state == "resolved"
    assert story.words == []


def test_what_comes_back_is_opened_anew_under_another_number() -> None:
    story = open_one()
    for at in (200.0, 300.0):
        story.evaluate(seen(), at=at)
    assert story.evaluate(seen(finding()), at=400.0) == "opened"
    assert (the(story).number, the(story).count, the(story).first_at) == (2, 1, 400.0)
    assert story.words == ["opened", "resolved", "opened"]


def test_a_channel_that_was_not_told_of_the_end_is_not_told_of_the_new_beginning_either() -> None:
    story = open_one()
    story.evaluate(seen(), at=200.0)
    story.checks = incidents.evaluated([seen()], started=300.0, over=story.checks)
    story.incident, state = incidents.updated(story.context(300.0))(story.incident)
    assert (state, the(story).notifications["ops"].pending) == ("resolved", "resolved")
    assert story.evaluate(seen(finding()), at=400.0) == "opened"
    assert story.words == ["opened"]


def test_findings_are_grouped_by_cause_and_without_one_by_code_and_subject() -> None:
    alone = finding(cause="")
    outcomes = [seen(finding(), finding("PG004", "x"), alone), seen(finding("PG012", "y"), check="b", error="locked")]
    groups = {group.cause: group for group in grouped(outcomes)}
    assert set(groups) == {"c", "PG003 raw of 2026-02-03", "not evaluated: b"}
    assert [one.code for one in groups["c"].findings] == ["PG003", "PG004", "PG012"]
    assert groups["c"].checks == ("a", "b")
    assert groups["not evaluated: b"].findings[0].code == "PG018"


def test_a_check_that_cannot_be_evaluated_is_an_incident_until_it_is_evaluated_twice() -> None:
    story = Story()
    context, cause = story.context(100.0), grouped([seen(error="locked")])[0]
    story.incident, answer = incidents.found(cause, started=100.0, context=context)(None)
    assert (answer, the(story).severity) == ("opened", "error")
    story.evaluate(seen(finding(cause="another")), at=200.0)
    story.evaluate(seen(), at=300.0)
    assert the(story).state == "resolved"


def test_a_document_holds_a_bounded_number_of_findings_and_says_how_many_there_were() -> None:
    story = Story()
    story.evaluate(seen(*(finding(subject=f"s{n}", text="x" * 9_000) for n in range(50))), at=1.0)
    assert (len(the(story).findings), the(story).found) == (FINDINGS_MAX, 50)
    assert len(str(encode(the(story)))) < 12_000


def test_the_same_evaluation_taken_in_again_counts_once() -> None:
    story = open_one()
    assert story.evaluate(seen(finding()), at=100.0, now=130.0) == "opened"
    assert (the(story).count, story.words) == (1, ["opened"])


def test_it_is_escalated_once_after_the_plan_s_time_and_only_then_told_to_who_wants_no_less() -> None:
    policy = Policy(channels=(OPS, PAGER), escalate_after_s=4 * HOUR)
    story = open_one(policy, at=HOUR)
    assert the(story).due == 5 * HOUR
    for n in range(2, 9):
        story.evaluate(seen(finding()), at=HOUR * n)
    for n in (9, 10):
        story.evaluate(seen(), at=HOUR * n)
    assert story.told == [("ops", "opened"), ("ops", "escalated"), ("pager", "escalated"),
                          ("ops", "resolved"), ("pager", "resolved")]  # fmt: skip


def test_it_is_escalated_when_it_turns_out_worse_than_it_was_told() -> None:
    loud = Policy(channels=(OPS, ChannelRule(name="errors", kind="webhook", severity="error")))
    story = open_one(loud, code="PG012")
    story.evaluate(seen(finding("PG012"), finding("PG003")), at=200.0)
    assert story.told == [("ops", "opened"), ("ops", "escalated"), ("errors", "escalated")]
    story.evaluate(seen(finding("PG012")), at=300.0)
    assert the(story).severity == "error"


def test_a_note_is_kept_and_told_to_nobody() -> None:
    story = open_one(replace(POLICY, escalate_after_s=1.0), code="PG014")
    story.evaluate(seen(finding("PG014")), at=900.0)
    assert (the(story).state, story.words, the(story).due) == ("open", [], None)


def test_what_is_no_error_waits_for_the_end_of_quiet_hours() -> None:
    story = Story()
    story.evaluate(seen(finding("PG012")), at=100.0, held=500.0)
    assert (story.words, the(story).due, the(story).notifications["ops"].is_stuck(499.0)) == ([], 500.0, False)
    story.tell(500.0)
    assert story.words == ["opened"]
    loud = Story()
    loud.evaluate(seen(finding()), at=100.0, held=500.0)
    assert loud.words == ["opened"]


def test_what_came_and_went_within_quiet_hours_is_told_to_nobody() -> None:
    story = Story()
    for at, outcome in ((100.0, seen(finding("PG012"))), (200.0, seen()), (300.0, seen())):
        story.evaluate(outcome, at=at, held=500.0)
    story.tell(600.0)
    assert (the(story).state, story.words, the(story).due) == ("resolved", [], None)


def test_whoever_dies_between_claim_and_sending_leaves_it_to_the_next() -> None:
    story = Story()
    group = grouped([seen(finding())])[0]
    story.incident, _ = incidents.found(group, started=1.0, context=story.context(1.0))(None)
    story.incident, what = incidents.claim("ops", attempt="dies", context=story.context(1.0))(story.incident)
    assert (what, the(story).notifications["ops"].is_stuck(1.0)) == ("opened", True)
    _, nothing = incidents.claim("ops", attempt="at once", context=story.context(2.0))(story.incident)
    assert nothing == ""
    _, again = incidents.claim("ops", attempt="next", context=story.context(1.0 + CLAIM_S))(story.incident)
    assert again == "opened"


def test_what_was_tried_and_is_over_is_told_in_one_message() -> None:
    story = Story()
    group = grouped([seen(finding())])[0]
    story.incident, _ = incidents.found(group, started=1.0, context=story.context(1.0))(None)
    story.incident, _ = incidents.claim("ops", attempt="dies", context=story.context(1.0))(story.incident)
    for at in (200.0, 300.0):
        story.evaluate(seen(), at=at)
    assert (the(story).state, story.words) == ("resolved", ["opened", "resolved"])
    late = Story()
    late.incident, _ = incidents.found(group, started=1.0, context=late.context(1.0))(None)
    late.incident, _ = incidents.claim("ops", attempt="fails", context=late.context(1.0))(late.incident)
    late.checks = {"a": (2.0, 3.0)}
    late.tell(1.0 + CLAIM_S)
    assert late.words == ["resolved"]


def test_a_refusal_backs_off_up_to_a_ceiling_and_waits_as_long_as_it_is_asked_to() -> None:
    story, now, waits = Story(), 1.0, []
    group = grouped([seen(finding())])[0]
    story.incident, _ = incidents.found(group, started=1.0, context=story.context(1.0))(None)
    for n in range(12):
        story.incident, what = incidents.claim("ops", attempt=f"{n}", context=story.context(now))(story.incident)
        assert what == "opened"
        wait_s = {3: 1e9, 4: 700.0}.get(n, 0.0)
        failed = incidents.answered("ops", what, attempt=f"{n}", context=story.context(now), error="500",
                                    retry_after_s=wait_s)  # fmt: skip
        story.incident, _ = failed(story.incident)
        due = the(story).due
        assert due is not None
        waits.append(due - now)
        now = due
    assert 10 <= waits[0] <= 15
    assert (waits[3], waits[4]) == (RETRY_AFTER_MAX_S, 700.0)
    assert all(600 <= wait <= 900 for wait in waits[8:])
    assert the(story).notifications["ops"].error == "500"


def test_the_note_says_what_since_when_the_evidence_and_the_mend() -> None:
    story = open_one()
    story.evaluate(seen(finding(since=50.0, evidence={"rows": "5"}), finding("PG012", "x", command="other")), at=300.0)
    note = notes.of_incident(the(story), "opened", pipeline="nba", timezone="UTC", key="incident:nba:cause:1")
    assert note.id == "incident.nba.cause.1.1.opened"
    text = f"{notes.headline(note)}\n{notes.plain(note)}"
    for part in ("nba ERROR: raw of 2026-02-03", "since 1970-01-01 00:00 UTC", "found 2 times", "rows: 5",
                 "next: do it", "next: other"):  # fmt: skip
        assert part in text


# Properties: whatever happened before.

subjects = st.sampled_from(["x", "y"])
findings = st.builds(lambda code, subject, cause: finding(code, subject, cause=cause),
                     st.sampled_from(["PG003", "PG012", "PG014"]), subjects, st.just("c"))  # fmt: skip
outcomes = st.builds(
    lambda check, found, error: CheckResult(check=check, findings=tuple(found), error=error),
    st.sampled_from(["a", "b"]), st.lists(findings, max_size=2), st.sampled_from(["", "", "no"]),
)  # fmt: skip
times = st.integers(1, 40).map(lambda n: n * 50.0)
policies = st.sampled_from(
    [POLICY, Policy(channels=(OPS, PAGER), escalate_after_s=300.0), Policy(channels=(replace(OPS, severity="error"),))]
)


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Give a story of evaluations in any order, with tellings that fail or never end."""
    story, now = Story(draw(policies)), 0.0
    for at in draw(st.lists(times, max_size=6)):
        now = max(now, at)
        evaluation = draw(st.lists(outcomes, max_size=2, unique_by=lambda o: o.check))
        story.evaluate(*evaluation, at=at, now=now, held=draw(st.sampled_from([None, now + 75.0])))
        if draw(st.booleans()):
            now += 10.0
            take = incidents.claim("ops", attempt=f"dies {now}", context=story.context(now))
            story.incident, _ = take(story.incident)
    return story


@st.composite
def decisions(draw: st.DrawFn, story: Story) -> Decision[Incident, str]:
    now = draw(times)
    context = story.context(now, draw(st.sampled_from([None, now + 75.0])))
    match draw(st.sampled_from(["found", "looked", "claim", "answered"])):
        case "found":
            group = grouped([CheckResult(check="a", findings=(draw(findings),))])[0]
            return incidents.found(group, started=draw(times), context=context)
        case "looked":
            return incidents.updated(context)
        case "claim":
            return incidents.claim("ops", attempt=f"new {now}", context=context)
        case _:
            known = {} if story.incident is None else story.incident.notifications
            held, what = known["ops"].by if "ops" in known else "?", draw(st.sampled_from(["opened", "resolved"]))
            return incidents.answered("ops", what, attempt=held, context=context, ref="r",
                                      error=draw(st.sampled_from(["", "500"])))  # fmt: skip


@given(st.data(), stories())
def test_deciding_again_on_its_own_result_changes_nothing_and_answers_the_same(data: st.DataObject, s: Story) -> None:
    decide = data.draw(decisions(s))
    before = None if s.incident is None else encode(s.incident)
    once, answer = decide(s.incident)
    assert decide(s.incident) == (once, answer)
    assert before == (None if s.incident is None else encode(s.incident))
    assert decide(once) == (once, answer)


def test_what_a_sender_claims_counts_as_told_at_once() -> None:
    story = Story(POLICY)
    story.evaluate(seen(finding("PG012")), at=50.0, now=50.0, held=50.0 + 75.0)  # a quiet hour: not due yet
    take = incidents.claim("ops", attempt="one", context=story.context(200.0))
    once, what = take(story.incident)
    assert what == "opened"
    assert once is not None
    assert once.notified_severity == once.severity
    assert take(once) == (once, what)


@given(stories())
def test_a_document_survives_its_spelling(story: Story) -> None:
    if story.incident is not None:
        assert decode(Incident, encode(story.incident), key="k") == story.incident


@given(stories())
def test_what_is_told_alternates_beginning_and_end(story: Story) -> None:
    for channel in ("ops", "pager"):
        words = [what for name, what in story.told if name == channel]
        for before, after in zip(["resolved", *words], words, strict=False):
            assert (before, after) not in {("opened", "opened"), ("escalated", "escalated"), ("escalated", "opened")}
            assert (before, after) != ("resolved", "resolved") or len(words) == 1


@given(stories(), times, outcomes)
def test_an_evaluation_older_than_all_of_its_checks_changes_no_incident(
    story: Story, at: float, given: CheckResult
) -> None:
    newer = CheckResult(check=given.check)
    story.checks = incidents.evaluated([newer], started=at + 1.0, over=story.checks)
    now = 3_000.0
    story.incident, _ = incidents.updated(story.context(now))(story.incident)
    before, told = story.incident, list(story.told)
    story.evaluate(given, at=at, now=now)
    after = story.incident
    if before is not None and after is not None and before.due is None:
        assert (after, story.told) == (before, told)
    if before is None:
        assert after is None


@given(stories(), st.integers(2, 4))
def test_two_clean_evaluations_of_all_checks_resolve_and_leave_nothing_to_do(story: Story, times: int) -> None:
    for n in range(times):
        story.evaluate(CheckResult(check="a"), CheckResult(check="b"), at=10_000.0 + n, now=10_000.0 + CLAIM_S * n)
    story.tell(20_000.0)
    if story.incident is not None:
        assert (the(story).state, the(story).due, the(story).has_pending) == ("resolved", None, False)


# The watching itself.


def test_quiet_hours_and_days_without_work_hold_until_they_are_over() -> None:
    night = Policy(quiet=("22:00", "07:00"))
    noon, late = 12 * HOUR, 23 * HOUR
    assert evaluations.held_until(night, timezone="UTC", now=late, idle=False) == 31 * HOUR
    assert evaluations.held_until(night, timezone="UTC", now=31 * HOUR, idle=False) is None
    assert evaluations.held_until(night, timezone="UTC", now=2 * HOUR, idle=False) == 7 * HOUR
    assert evaluations.held_until(night, timezone="UTC", now=noon, idle=True) == 24 * HOUR
    assert evaluations.held_until(Policy(quiet=("12:00", "13:00")), timezone="UTC", now=noon, idle=False) == 13 * HOUR
    assert evaluations.held_until(Policy(), timezone="UTC", now=noon, idle=False) is None


def test_quiet_hours_follow_the_clocks_of_the_zone() -> None:
    # 8 March 2026, 01:00 in New York: the clocks go forward at 02:00, so 07:00 is five hours away
    now = 1_772_949_600.0
    held = evaluations.held_until(Policy(quiet=("22:00", "07:00")), timezone="America/New_York", now=now, idle=False)
    assert held == now + 5 * HOUR


def test_a_digest_is_due_once_a_day_from_its_time_on_and_not_on_a_day_without_work() -> None:
    policy = Policy(channels=(OPS,), digest="08:00")
    assert evaluations.digest_due(policy, timezone="UTC", now=7.9 * HOUR, idle=False) == ""
    assert evaluations.digest_due(policy, timezone="UTC", now=8 * HOUR, idle=False) == "1970-01-01"
    assert evaluations.digest_due(policy, timezone="UTC", now=9 * HOUR, idle=True) == ""
    state, what = evaluations.claim_digest("ops", date="1970-01-01", attempt="one", now=8 * HOUR)(None)
    assert evaluations.claim_digest("ops", date="1970-01-01", attempt="one", now=8 * HOUR)(state) == (state, what)
    assert what == "1970-01-01"
    state, _ = evaluations.answer_digest("ops", what, attempt="one", now=8 * HOUR)(state)
    assert evaluations.answer_digest("ops", what, attempt="one", now=8 * HOUR)(state) == (state, "")
    _, again = evaluations.claim_digest("ops", date="1970-01-01", attempt="two", now=9 * HOUR)(state)
    _, following = evaluations.claim_digest("ops", date="1970-01-02", attempt="two", now=33 * HOUR)(state)
    assert (again, following) == ("", "1970-01-02")


def test_an_evaluation_is_full_if_every_check_of_it_was_evaluated() -> None:
    state, _ = evaluations.taken([seen(finding())], started=5.0)(None)
    assert state is not None
    assert (state.taken_at, state.full_at) == (5.0, 5.0)
    state, _ = evaluations.taken([seen(), seen(check="b", error="no")], started=6.0)(state)
    assert state is not None
    assert (state.taken_at, state.full_at) == (6.0, 5.0)
    state, _ = evaluations.taken([], started=7.0)(state)
    assert state is not None
    assert state.full_at == 5.0
    assert evaluations.taken([], started=7.0)(state) == (state, "")
