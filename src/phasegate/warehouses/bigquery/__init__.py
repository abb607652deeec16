"""BigQuery as a warehouse: two jobs a write."""
