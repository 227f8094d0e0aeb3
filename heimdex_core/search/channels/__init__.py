"""The ways of finding scenes; each offers its best, or says why it does not."""
