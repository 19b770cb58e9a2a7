"""What isn't collected: the tests that need PyTorch and snnTorch, where these aren't there."""

from importlib.util import find_spec


def is_installed(name):
    """Whether it is more than a folder of that name."""
    spec = find_spec(name)
    return spec is not None and spec.origin is not None


collect_ignore = [] if is_installed("torch") and is_installed("snntorch") else ["torch"]
