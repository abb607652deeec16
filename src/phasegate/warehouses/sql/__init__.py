"""What SQL warehouses share."""
