"""The leaderboard: networks and their defences, each under the worst of all attacks that know them."""
