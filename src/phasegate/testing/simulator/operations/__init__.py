"""What a schedule plays beside scrapers, workers and redrives.

Each operation is one kind of event: what it changes in the plan, who does what and when, and what must hold.
"""
