"""What the pages share: components, words in two languages, the server's routes."""
