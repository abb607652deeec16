"""A warehouse in memory."""
