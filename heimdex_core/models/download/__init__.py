"""Downloading models from a hub: the plan, the download and its progress."""
