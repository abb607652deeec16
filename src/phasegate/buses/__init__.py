"""Buses for messages: one file per bus."""
