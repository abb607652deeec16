"""What runs the pipeline: workers, the sweeper, the scheduler, backfills."""
