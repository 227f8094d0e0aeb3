"""The command line: arguments -> one call on `Library` -> print."""
