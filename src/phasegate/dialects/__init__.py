"""One SQL text per step, written once and translated for each engine."""
