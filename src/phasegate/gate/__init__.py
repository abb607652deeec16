"""One phase of one run: its requests, its firings, and its propagation."""
