"""Search: a query goes to channels, their scored scenes are fused into one ranking, and the ranking becomes hits."""
