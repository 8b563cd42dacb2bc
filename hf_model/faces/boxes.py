"""How much two boxes share."""

Corners = tuple[float, float, float, float]  # left, top, right, bottom


def shared_area(one: Corners, other: Corners) -> float:
    """The area that two boxes share, 0 where they lie apart."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return max(across, 0) * max(down, 0)


def box_overlap(one: dict[str, int], other: dict[str, int]) -> float:
    """Intersection over union of two boxes as ``Prediction.box`` has them, 0 to 1."""
    first, second = ((box["xmin"], box["ymin"], box["xmax"], box["ymax"]) for box in (one, other))
    shared = shared_area(first, second)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return shared / max(areas - shared, 1)
