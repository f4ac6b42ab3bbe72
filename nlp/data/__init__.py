"""Data that the rooms read: taxonomy, headings, lexicon, regions, encoders."""
