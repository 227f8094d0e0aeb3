"""The command line: parse the arguments, call Library once, print the result."""
