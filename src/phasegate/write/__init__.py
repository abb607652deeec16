"""One partition: leased, built, written in one transaction, reported."""
