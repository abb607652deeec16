"""Documents of other systems, and of other stores."""
