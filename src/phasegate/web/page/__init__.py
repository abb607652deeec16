"""The page: what the service shows to a browser, by the views that the command line has."""
