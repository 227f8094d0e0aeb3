"""Judged queries and metrics: how well does a search find what people say is right?"""
