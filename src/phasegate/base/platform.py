"""How the NBA platform, and others like it, name the fields of their documents and messages. Pure.

The only place that spells these names: what is the platform's is read and written with them, what is ours is not.
"""

COUNT, TRIGGERED, TRIGGERED_AT, MODE = "_completed_count", "_triggered", "_triggered_at", "_mode"
