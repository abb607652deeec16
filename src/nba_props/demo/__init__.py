"""The night of 3 February 2026, in the old hand-off and in Phasegate."""
