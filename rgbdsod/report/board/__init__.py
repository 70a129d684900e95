"""Pages and tables of leaderboards."""
