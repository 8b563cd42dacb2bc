"""MTCNN's three networks, and the cascade around them (Zhang et al., 2016)."""
