"""Networks behind defences of their inputs, under image-wide noise."""
