"""What adapters of Google Cloud share: addresses, emulators, errors."""
