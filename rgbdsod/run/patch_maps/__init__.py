"""Cross-modal patch maps beside their baselines: how well each finds patches, stickers, and patches that know it."""
