"""Faces: finding, choosing, framing and judging them; the networks are handed in."""
