"""Who does the work: workers, the sweeper, the scheduler, backfills."""
