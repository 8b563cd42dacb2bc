"""Figures as text."""


def show(value: float, unit: str) -> str:
    """A figure as text: years with two decimals, shares in per cent with one, others with three decimals."""
    if unit == "years":
        return f"{value:.2f}"
    if unit == "share":
        return f"{100 * value:.1f} %"
    return f"{value:.3f}"
