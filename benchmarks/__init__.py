"""Benchmarks: each prints a table. Nothing is asserted about speed; a claim in the docs names its command."""
