"""Runs on defences against patches: networks and detectors behind them, and where real patches are."""
