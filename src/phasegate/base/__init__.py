"""The values that every other part uses: keys, stamps, dates, findings.

No I/O, no clock, no randomness, no logging. One word means one thing, in documents, messages and output alike;
docs/reference/glossary.md shows this table, and a test compares:

============================== =========================================================================================
*Runs and dates*
pipeline                       All that one plan declares; its name is in the key of each of its documents.
plan                           The TOML file that declares phases, steps, gates and channels.
date                           The date that a run is about, which is seldom the day on which it takes place.
mode                           A kind of run with gates of its own, such as ``overnight``; a date may have a run in each
                               mode.
run                            One date in one mode, such as ``2026-02-03.overnight``.
sibling run                    The run of the same date in another mode; both share the tables of the steps that both
                               have.
phase                          A group of steps whose results are handed on together; one document for each phase of a
                               run.
root phase                     A phase that comes after no other; ``begin RUN`` opens these.
upstream, downstream           Upstream: the phases that a phase comes after. Downstream: those that come after it.
open, opened                   Of a run: its phase has a document. Of a request: sent until answered. Of an incident:
                               not resolved.
expect, expected, expectation  Named in advance: steps that a gate waits for, runs that the calendar gives, a result
                               with a time.
deadline                       The time at which a gate fires with its critical members alone.
pause, paused                  An operator holds the gates of a run: reports are recorded, nothing is requested or
                               fired.
resume, resumed                End of a pause: what was recorded takes effect.
void                           Of a run: it does not take place; it requests nothing and refuses reports.
claim                          What the calendar or an operator says about whether a run takes place.
operator                       A person, or what acts for one, who gives commands. An operator's claim wins over the
                               calendar's. As a role: it may do everything.
replan, replanned              To pin the present plan to an open run.
*The calendar*
calendar                       The function of a plan that returns which dates have work, and their anchors.
work                           The calendar's answer for a date with runs.
none, no work                  The calendar's answer for a date without runs, and the verdict on results of such a date.
unknown                        Nothing stored answers the question; it never counts as "no". Of a stale result: a
                               withdrawn request may have changed its table.
anchor                         A time of a date that the calendar gives, such as ``last_game_end``; deadlines and starts
                               count from it.
schedule                       A start by the clock: the calendar's dates, at a time of the date.
message                        A start by the first message about a run; also what the bus carries.
*Steps*
step                           What builds one partition of a table from its needs; in a phase's document it is a
                               member.
member                         A step in the document of a phase, with its newest result and its newest attempt.
external                       A step that another system builds and reports.
command                        A step that a worker has a shell run; also what is typed, and what changes a document.
need                           A step whose result another step is built from.
input                          What a step is built from, or the upstream generation that a phase works on.
covers                         Of a step: the rows of another step's table that its table must have too.
on, where                      Of ``covers``: the columns by which rows are compared, and the condition on the rows to
                               cover.
rule                           A ``covers`` in words; a comparison by another rule does not count.
lacks                          Of a result: the keys that are missing of what it must cover, and how many.
against                        The content of the other table that a result was compared with.
window                         A need for the dates before a run's date, such as ``points@20d``; its dates have one
                               stamp together.
await, awaited                 Expected and not there yet: dates of a window, or a result whose time is not up.
critical                       Of an expected step: the gate never fires without it.
accept                         The statuses with which a gate counts a result.
attested                       Of a result: what it was built from is proven by a receipt or an echo, not assumed.
delivered                      Of a result: rows were accepted for the first time. Of a notification: the channel took
                               it.
code                           The hash of what a step runs.
build                          Which code a process runs, as one text: its service, its commit, whether files of that
                               had changed, and its lock file.
serve, served                  Of a build: a process of it handled a command of a document, or reported a result to it.
*Requests and reports*
request                        The demand to build a step from exactly these inputs, repeated until it is answered.
ask, asked                     To send requests for a step; as a state: a request for it is open.
log, output, traceback         What an attempt at a step left: the lines that it printed, and where its error arose.
attempt, try                   One go at something, under an id that is drawn before it starts.
report                         What a step's builder says happened: a completion message, or a worker's own.
completion                     The message by which an external step reports, or a receiver acknowledges a trigger.
result                         The newest accepted report of a member; a failure never removes it.
success                        Status: there are rows.
empty                          Status: done, and there are no rows.
partial                        Status: only some of the rows are there. Of a result: it lacks rows, and no gate counts
                               it. Of an attempt that wrote nothing: a failure that is not retried.
failed                         Status or outcome: a failure. Of ``status = "failed"``: not retried; as an outcome:
                               requested again.
transient                      Status: a failure that may go away, so the request is sent again.
inputs changed                 Status: the inputs changed while a step was built, so nothing was written.
skipped                        Status and outcome: the builder did nothing, and nothing changes.
accepted                       Outcome: the report is the new result.
confirmed                      Outcome: the result is the same, and answers the present request.
acknowledged, acked, ack       A receiver has confirmed that a trigger arrived.
duplicate                      Outcome: the same report again; nothing changes.
older                          Outcome: refused, because something newer was accepted before.
noted                          Outcome: recorded, and no request is affected.
refused                        Not accepted, with a reason; nothing changes.
parked                         Of a request: its inputs changed, so it waits for the new ones.
retry                          To do again what failed, after a growing delay.
redo                           To process a message again whose process crashed; its effects happen once.
dead, dead letter              Not retried without an operator command: a request, a trigger, or a message in
                               quarantine.
redrive                        To bring a dead letter back, or to send held triggers.
quarantine, quarantined        Where messages go that cannot be read or processed; each keeps its reason.
poison                         A message that makes each of its readers fail; it goes to quarantine.
discard, discarded             To hide a message in quarantine until it arrives again.
other order                    Outcome: the order cannot be compared with the accepted one; the message goes to
                               quarantine.
unknown member, unknown result Outcome: the document has no such step, or no result of it.
*Freshness*
fresh                          Of a member: its result was built from the present inputs, and these are fresh. Derived,
                               never stored.
stale                          Of a result: it does not count until a later request is answered.
forced                         Stale because an operator asked for a rebuild.
code changed                   Stale because other code was pinned since.
old code                       The code that a replan replaced last; results of it do not count.
mark stale                     To mark a result as stale, with the reason ``unknown``, since its table holds something
                               else.
blocked                        Of a step: it waits for other steps, or for dates of a window.
unreported                     Of an external step: not reported, or not since its inputs changed.
missing                        Expected members that are absent, stale or of a status that the gate does not accept.
rebuild                        To build a step again whatever its receipts say.
*Gates and firing*
gate                           The rule of when a phase fires, pinned when its run opens.
receiver                       A phase or topic that gets the triggers of a phase.
fire, firing                   To decide, once, that a phase hands on: the next generation, with the stamps that it
                               carries.
generation                     The number of a firing of a phase in one run, from 1.
trigger                        The message of a firing to one receiver, always under the same id.
more                           Further messages of the same trigger follow, and the last acknowledges it.
outbox                         The entries of a document that are still to be sent or acknowledged.
begin, begun, already begun    To take over the stamps of an upstream generation as inputs; once for each generation.
not fired                      A trigger whose generation the upstream document has not fired: it changes nothing.
publish                        The way to acknowledge a trigger by its publication alone; the others are ``begin``,
                               ``completion`` and ``post``.
post, posted                   The way to acknowledge a trigger by a 2xx answer of the URL that a worker posts it to.
signals                        What is sent to other systems for reading: traces and lineage.
unsent                         Of a trigger: not sent yet.
sent                           Of a trigger: sent, and not acknowledged yet.
superseded                     Of a trigger: a newer generation made it needless before it was acknowledged.
held                           Of a trigger: a quiet backfill keeps it back until a redrive. Of a lease: in use.
settle, settling               To wait a moment, after everything is fresh, for further changes. Of a check: what it
                               found is too young to be a finding.
settled                        Everything is fresh, fired and acknowledged, or the run is void: no timer is left.
catch up                       Of a new run: to read first what other runs have stored. ``catch_up_max_s``: how long a
                               build delays newer inputs.
degraded                       Fired without everything that is expected; the generation names what is missing.
overdue                        Past its deadline, and never fired.
complete                       Everything expected is fresh and handed on.
sending                        Fired, and a receiver has not acknowledged yet.
building                       Steps are requested.
waiting                        Waiting for external steps, for an upstream phase, or to begin a newer generation.
*Between runs*
propagation                    How changed results reach sibling runs and later dates.
shared                         Of a step: runs of other modes, or of later dates, read its table.
notice                         A result in a phase's document that other runs have not received yet.
relayed                        Received from a sibling run, or already passed on to sibling runs.
ledger                         What each date of one step holds, by month; windows are computed from it.
cascade                        Rebuilding later dates because an earlier date of their windows changed.
origin                         The earlier date whose change began a cascade.
drift, drifted                 A window changed too long ago for an automatic rebuild; ``backfill --cascade`` rebuilds
                               it.
backfill                       The command, and its document, that brings a span of dates up to date.
job                            The dates, modes and steps that a backfill was started with.
quiet                          No triggers to receivers outside the plan while a backfill runs; no notifications during
                               quiet hours.
end quiet, not quiet           The end of a quiet backfill, and its outcome: triggers go to every receiver again.
mirror                         A copy of a run in the layout of the platform's documents, for their old readers.
foreign document               A document of another system, where its own readers look.
behind                         Of a mirror: it could not be written where its readers look.
*Writing*
warehouse                      The database of the tables.
table, partition               A step's table has a partition for each date; one write replaces or merges one partition.
lease                          The right to write one partition, for a limited time.
token                          The number of a lease's acquisition; a higher token is newer.
holder                         The acquisition that a lease belongs to now.
writers                        The holders that the partition's fence may name.
owner                          The key of the document that must receive what the holder of a lease committed.
expire, expired                Of a lease: its time is up, so that the next worker may take it. Of a credential: its
                               time is up.
released                       Of a lease: given back before it expired.
fence                          The warehouse's record of a partition's newest token, its holder and its store.
store                          The database of the documents; ``identity`` is its own name.
identity                       The name of a store; also the columns of a table that name the thing itself.
adopt                          To make the warehouse obey another store.
write                          One transaction that replaces or merges the rows of a partition; its id is in the
                               receipt.
receipt                        What a committed write leaves in the warehouse: its stamp, and the stamps it was built
                               from.
fingerprint                    A hash of a partition's rows: equal content, equal fingerprint.
stamp                          A fingerprint with a token: which content a partition had, and the write that made it.
sequence                       A number by which an external step orders its reports.
ordered                        The kind of a report's order: sequence, time or arrival.
time                           Kind of order of a report that gives when it was completed.
arrival                        Kind of order of a report that gives none: it was the newest when it arrived.
ties                           Contents that were accepted with one order, each later one as the newer.
execution id                   What identifies the content of an external step without a table.
allow shrink                   An operator allowed one write to lose more rows than ``shrink_max``.
*Work*
worker                         A process that handles messages, builds steps and sweeps.
worker pool                    The threads of one worker.
sweep                          To process every document whose time has come.
due                            When a document is to be processed again without a message.
look, looked                   To evaluate a document by the clock alone.
settings                       What the environment and ``phasegate.toml`` say: places and times, never the pipeline
                               itself.
document                       A versioned JSON body under a key; all state is documents.
*Callers*
caller                         What calls the service; its credential names it.
credential                     What proves a caller: an access token, or an account.
access token                   A secret text of the form ``pg_ID_SECRET_CHECKSUM``; its hash is stored, and it was shown
                               once.
account                        An e-mail address of Google, mostly of a program; it is proven by an ID token.
ID token                       A text that Google has signed: which account calls, which audience is meant, and until
                               when.
audience                       What an ID token was made for: it must be this service.
role                           What a caller may do. Only ``operator`` includes the others.
reporter                       Role: it begins and reports its own steps, and acknowledges triggers as a receiver.
reader                         Role: it is shown states, checks and metrics, and changes nothing.
valid                          Of a credential: neither expired nor revoked.
revoke, revoked                To make a credential invalid for good.
audit, audit log               What people changed: who, when, and how it ended.
act                            One change by a person; an entry of the audit log.
via                            The way by which an act came.
command line, page, http       Of an act: typed as a command, confirmed on the page, or asked for over HTTP.
let go                         Of a lease: to end it now, though its holder has not released it.
*Checks and alerts*
check                          One thing that ``health`` or ``reconcile`` examines.
finding                        One thing that is wrong, with its code, its evidence and the command that fixes it.
manifest                       The TOML file that says what runs on Google Cloud, and all that it needs.
fault                          One thing that is wrong with a manifest or with what was deployed from it, with its code,
                               place and mend.
severity                       How bad a finding is: ``error``, ``warning`` or ``note``.
error                          Severity: data is wrong, missing or stuck. Also the text of what failed.
warning                        Severity: something needs a person, and no data is wrong yet.
note                           Severity: worth knowing; nothing to do.
evidence                       What a check saw, by name.
fix                            A command that removes a finding, and its application by ``reconcile --fix``.
ok                             Verdict of a check: it found nothing.
not evaluated                  Verdict of a check that could not run. It is never fine.
verdict                        The answer of a check, or on one expected result.
grace period                   The 300 s in which new evidence may be work in progress, and is no finding.
reconcile, reconciliation      To compare documents, tables and calendar, and to fix what differs; the record of it.
evaluation                     One run of a set of checks, named by its start; of each check only newer ones count.
incident                       All findings of one cause, open until two evaluations come back clean.
cause                          What one fix removes; findings of one cause are one incident.
resolved                       Of an incident: its findings are gone.
escalate, escalated            To notify of an incident once more, because it is open too long or became worse.
channel                        A place for notifications: Slack, a webhook, CloudEvents, or what Apprise supports.
notification, notified         What a channel gets about an incident, and whether it was delivered.
pending                        Of a notification: still to be sent.
digest                         One notification a day with all open incidents.
test                           A notification that only shows that a channel works.
watch                          The record of the newest evaluations.
dead-man switch                A service that raises an alarm when no evaluation reaches it in time.
*Late results and coverage*
on time                        Verdict: rows were accepted by the expected time, or within ``late_after_s`` of it.
late                           Verdict: rows were accepted later than that. Of a date: not complete after its time.
never                          Verdict: late, and there are no rows yet.
cover, coverage                The state of every phase and run of a span of dates, in one word each.
gap                            Dates in a row that lack the same, with the command for them.
missed                         Cover: a run that should be open and is not.
running                        Cover: in progress, and not late.
empty ok                       Cover: no run, and none is expected.
============================== =========================================================================================
"""
