"""Which dates have work."""
