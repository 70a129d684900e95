"""Pages of patches beside photographs: spectra and distances."""
