import pytest
import torch
from torch import nn

from throughtime import Padded
from throughtime.data.features import bag, one_hot
from throughtime.errors import ArgumentError


def test_a_look_up_is_a_product_with_a_one_hot_vector():
    embedding, ids = nn.Embedding(7, 3), torch.tensor([[0, 6], [3, 3]])
    assert torch.equal(embedding(ids), one_hot(ids, 7) @ embedding.weight)


def test_a_bag_counts_or_marks_what_stands_in_a_sequence_and_no_padding():
    sequences = Padded.of([torch.tensor([0, 2, 2]), torch.tensor([1])])
    assert bag(sequences, 4).tolist() == [[1, 0, 2, 0], [0, 1, 0, 0]]
    assert bag(sequences, 4, counts=False).tolist() == [[1, 0, 1, 0], [0, 1, 0, 0]]


@pytest.mark.parametrize("ids", [[-1], [5]])
def test_an_id_outside_of_the_vocabulary_is_refused(ids):
    with pytest.raises(ArgumentError, match=r"ids must be in 0..4"):
        one_hot(torch.tensor(ids), 5)
