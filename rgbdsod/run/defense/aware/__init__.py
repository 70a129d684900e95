"""Attacks that know a defence of inputs: which there are, which ones a defence gets, and the worst of them."""
