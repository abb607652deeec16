"""What the service shows to a browser, by the views of the commands."""
