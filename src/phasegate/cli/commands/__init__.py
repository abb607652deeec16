"""The commands, one module for each, imported when the command is called.

``phasegate --help`` needs this list only. The names are in the order in which users meet them, each with the place of
its command, and with its line of the help page, which must be the command's own ``short_help``: a test compares.
"""

COMMANDS = {
    "init": ("init:init", "Write a plan and its SQL to begin with."),
    "status": ("status:status", "Show the state of every run, and what to type next."),
    "why": ("why:why", "Explain one run: what it waits for, or what made it fire."),
    "logs": ("logs:logs", "Show what the steps of a run printed and raised."),
    "health": ("health:health", "Check a date: what is wrong, and what to type."),
    "reconcile": ("reconcile:reconcile", "Compare documents, tables and calendar; with --fix, fix what differs."),
    "late": ("late:late", "Show which results arrived late, or never."),
    "metrics": ("metrics:metrics", "Count what went well: complete, accurate, handed on, in time."),
    "alerts": ("alerts:alerts", "List open incidents, close one, and test the channels."),
    "calendar": ("calendar:calendar", "Show which dates are complete, and the gaps with what to type."),
    "dead": ("dead:dead", "List what is no longer retried, and how to bring it back."),
    "begin": ("begin:begin", "Open a run, or hold an external step while its command runs."),
    "complete": ("complete:complete", "Report that an external step is done, or has failed."),
    "worker": ("worker:worker", "Build what is requested, hand on what is fresh, until stopped."),
    "serve": ("serve:serve", "Answer over HTTP: reports, leases, checks, sweeps."),
    "sweep": ("sweep:sweep", "Process every due document once."),
    "audit": ("audit:audit", "Show what people changed: who, when, and how it ended."),
    "leases": ("leases:leases", "Show which partitions are being written now."),
    "redrive": ("redrive:redrive", "Bring dead letters back: of a run, of a step, one message, or all."),
    "rerun": ("rerun:rerun", "Build one step of a run again, now and in this process."),
    "backfill": ("backfill:backfill", "Bring a span of dates up to date, oldest first."),
    "pause": ("pause:pause", "Hold the gates of a run, or release them."),
    "cancel": ("cancel:cancel", "End a run that should not take place."),
    "replan": ("replan:replan", "Pin the present plan to an open run."),
    "adopt": ("adopt:adopt", "After a lost or restored store: make the warehouse obey this one."),
    "query": ("query:query", "Read the tables with a SELECT, also while workers run."),
    "tables": ("tables:tables", "Compare the tables' columns with the plan, change them, or copy the tables."),
    "tokens": ("tokens:tokens", "List who may call the service, add a caller, or revoke one."),
    "plan": ("plan:plan", "Check a plan, or draw it."),
    "deploy": ("deploy:deploy", "Render, check and compare a deployment on Google Cloud."),
    "doctor": ("doctor:doctor", "Check your own completion documents and tables, without a plan."),
    "drift": ("drift:drift", "Compare the code that serves with the code that is desired."),
    "schema": ("schema:schema", "Print the JSON Schema of what a command prints with --json."),
    "export": ("transfer:export", "Write the documents as lines of JSON, for another store."),
    "import": ("transfer:import_", "Read documents that were exported, or the platform's completion documents."),
    "migrate": ("migrate:migrate", "Rewrite the documents of older builds as this one writes them."),
}
