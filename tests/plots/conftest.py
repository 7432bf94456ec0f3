import matplotlib as mpl
import pytest


@pytest.fixture(autouse=True)
def _no_window_and_no_figure_left():
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    plt.close("all")
    yield
    plt.close("all")
