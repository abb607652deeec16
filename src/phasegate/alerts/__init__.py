"""Incidents, and their delivery to channels."""
