"""One module for each command, imported when the command is called.

``phasegate --help`` needs this list only. The names stand in the order in which they are met. Behind each: where its
command is, and its line of the help page, which must be the command's own ``short_help``: a test compares.
"""

COMMANDS = {
    "status": ("status:status", "Show where every run stands, and what to type next."),
    "why": ("why:why", "Explain one run: what it waits for, or what made it fire."),
    "health": ("health:health", "Check a date: what is wrong, and what to type."),
    "reconcile": ("reconcile:reconcile", "Compare documents, tables and calendar; with --fix, mend what differs."),
    "late": ("late:late", "Show which results came late, or never."),
    "alerts": ("alerts:alerts", "List open incidents, close one, and test the channels that are told."),
    "calendar": ("calendar:calendar", "Show which dates are done, and the gaps with what to type."),
    "dead": ("dead:dead", "List what is not tried again by itself, and how to bring it back."),
    "begin": ("begin:begin", "Open a run, or hold an external step while a command builds it."),
    "complete": ("complete:complete", "Report that an external step is done, or has failed."),
    "worker": ("worker:worker", "Build what is asked for, hand on what is fresh, until told to stop."),
    "sweep": ("sweep:sweep", "Look once at every document whose time has come."),
    "leases": ("leases:leases", "Show who writes which partition now."),
    "redrive": ("redrive:redrive", "Bring dead letters back: of a run, of a step, one message, or all."),
    "backfill": ("backfill:backfill", "Bring a span of dates up to date, oldest first."),
    "pause": ("pause:pause", "Hold the gates of a run, or let them go."),
    "replan": ("replan:replan", "Pin today's plan to a run that is open."),
    "adopt": ("adopt:adopt", "After a lost or restored store: make this one the one that the warehouse obeys."),
    "plan": ("plan:plan", "Check a plan."),
    "doctor": ("doctor:doctor", "Look at your own completion documents and tables: what is wrong, without a plan."),
    "export": ("transfer:export", "Write the documents as lines of JSON, for another store."),
    "import": ("transfer:import_", "Read documents that were exported, or the platform's completion documents."),
}
