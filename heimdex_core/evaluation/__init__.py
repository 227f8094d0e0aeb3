"""Evaluation: judged queries (judgements.py) and metrics of how well a search finds them (metrics.py)."""
