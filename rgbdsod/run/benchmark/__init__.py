"""Suites of attacks on networks of different kinds, in one table."""
