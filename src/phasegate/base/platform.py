"""Field names in the NBA platform's documents and messages.

The only place that spells these names: the platform's documents are read and written with them, Phasegate's own are
not. Other platforms with the same layout use them too. Pure.
"""

COUNT, TRIGGERED, TRIGGERED_AT, MODE = "_completed_count", "_triggered", "_triggered_at", "_mode"
