"""Replays of dates: `runner` plays them, `scrapers` fetch and write."""
