"""The fusion ablation: train designs that differ in one thing, attack each input of each, and compare."""
