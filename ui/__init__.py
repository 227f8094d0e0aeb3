"""What the pages share: components, views, texts in two languages, and the routes of the server."""
