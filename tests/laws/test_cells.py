import throughtime
from throughtime.cells import LSTM


def test_x():
    throughtime.check_cell(LSTM(3, 4))
