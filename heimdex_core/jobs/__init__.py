"""Durable work: queues, the worker that empties them, and the schedules (DBOS)."""
