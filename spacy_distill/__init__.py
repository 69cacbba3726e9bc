"""Distil a transformer that recognises entities into a compact student for spaCy."""
