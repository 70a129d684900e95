"""Pages of patch runs: where patches lay, what they did, and what their controls did."""
