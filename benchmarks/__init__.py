"""Benchmarks: each prints a table.

They assert nothing about speed; a claim in the docs names its command.
"""
