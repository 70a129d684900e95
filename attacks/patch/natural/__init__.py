"""Where a patch's colours are sought: near a photograph, or among what a generator draws. One file a kind."""
