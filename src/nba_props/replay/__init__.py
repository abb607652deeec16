"""Replays of dates through the reference pipeline: `runner` plays them, `scrapers` bring them in."""
