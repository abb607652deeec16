"""The code of Python steps: a hash of what their functions run."""
