"""Observers: what is reported of events."""
