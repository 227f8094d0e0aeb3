"""Export: a checked plan (plan.py), rendering a reel (reel.py), checking the file (check.py), and progress."""
