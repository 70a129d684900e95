"""The report of an ablation: what `ablation.json` holds, as tables, figures and a page."""
