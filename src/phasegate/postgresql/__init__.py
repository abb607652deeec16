"""What all adapters of PostgreSQL share: addresses, connections, errors, schema versions."""
