"""Who must be told what is wrong: incidents, and their delivery."""
