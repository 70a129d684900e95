"""What `peers.py` and `strength.py` share: cases, tasks, and one file a contestant."""
