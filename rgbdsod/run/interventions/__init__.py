"""What a trained network really uses: one stream is replaced at one stage, with or without an attack."""
