"""Getting models from a hub: what a download takes, the download, and where it stands."""
