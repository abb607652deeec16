"""The pure heart: documents, decisions, plan. No I/O, no clock, no randomness, no logging.

Glossary (one word means one thing):

========== =====================================================================================================
run        one date in one mode, such as ``2026-02-03.overnight``
phase      a group of steps whose results are handed on together; one document per (phase, run)
step       what builds one table partition from its needs; in a phase's document it is a *member*
external   a member that somebody else builds, and reports
need       a step that must be fresh before another may start
stamp      (fingerprint, token): which content a partition had, and the write that made it
receipt    what a committed write left in the warehouse: its stamp, and the stamps it was built from
fresh      a member's accepted result is of the present inputs, and those are fresh: derived, never stored
request    (step, run, inputs), asked for until a result of exactly these inputs arrives, or it is dead
attempt    one delivery of one command, under an id drawn before the decision
result     the newest accepted outcome of a member; a failure never removes it
gate       the pinned rule of when a phase may fire
fire       take the one decision to hand on: generation n + 1, with the stamps that it carries
generation the number of a firing within (phase, run)
trigger    the message that a firing sends to one receiver, always under the same id
outbox     the entries of a document that are still to be sent or acknowledged
begin      take over the stamps of an upstream generation as inputs
lease      who may work on a resource; its token grows with each acquisition
fence      the warehouse's own copy of the newest token of a resource
moved      the inputs of a request changed while it was served: nothing was written
degraded   fired at the deadline without everything; the generation names what is missing
settled    everything fresh, fired and acknowledged (or void): nobody needs to look again
look_by    when somebody must look at an unsettled document at the latest
finding    one thing that a check found wrong, with the command that mends it
evaluation one go at a set of checks, named by when it started; of each check only newer ones count
incident   all that evaluations found of one cause, open until two of them come back clean
channel    where people, or their tools, are told of incidents
========== =====================================================================================================
"""
