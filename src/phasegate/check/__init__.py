"""What is wrong, and the commands that mend it."""
