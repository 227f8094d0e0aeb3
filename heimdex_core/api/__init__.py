"""The HTTP API under /api/v1, and what the routes of the app share with it: signed links, unfinished uploads."""
