"""Patches found by the quarrel between RGB and depth: five maps, a decision over them, which modality is accused."""
