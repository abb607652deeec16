"""The night of 3 February 2026: through a model of the hand-off that Phasegate replaces, and through Phasegate."""
