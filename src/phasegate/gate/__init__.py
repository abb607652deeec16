"""One phase of one run: what it asks for, when it fires, and what others must know."""
