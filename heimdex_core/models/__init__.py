"""Models behind protocols, chosen by name."""
