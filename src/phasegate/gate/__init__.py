"""One phase of one run: what it requests, when it fires, and what it propagates to other runs."""
