"""Models that read text in pictures."""
