"""Making files of found scenes: plan (what is asked for, checked), reel (one MP4 of many clips), progress."""
