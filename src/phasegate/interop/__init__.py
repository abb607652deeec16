"""Import and diagnosis of documents of other systems and other stores."""
