"""One partition: leased, built from exactly the requested inputs, written, reported."""
