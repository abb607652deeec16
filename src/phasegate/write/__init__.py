"""One partition: leased, built of exactly the inputs asked for, written in one fenced transaction, reported."""
