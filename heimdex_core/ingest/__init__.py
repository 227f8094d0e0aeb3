"""From a video file to a searchable generation, stage by stage. See pipeline.py for the recipe."""
