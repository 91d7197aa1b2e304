"""The kernel of word2vec against a slow copy in plain Python, whose gradients are autograd's in double precision."""

import numpy as np
import pytest
import torch

from throughtime.kernels import word2vec as kernel
from throughtime.kernels.merge import merge
from throughtime.vectors.corpus import corpus_of
from throughtime.vectors.crew import CHUNK, _memory
from throughtime.vectors.merging import divisors, expected_moves
from throughtime.vectors.word2vec import Word2Vec, key

MASK, GOLDEN = 2**64 - 1, 0x9E3779B97F4A7C15
RATE = 0.05

SETTINGS = {
    "skipgram": {"negatives": 5},
    "skipgram, more than a group": {"negatives": 7},
    "skipgram, each its own negatives": {"negatives": 5, "shared": False},
    "skipgram, tree": {"objective": "hierarchical"},
    "skipgram, all words": {"objective": "softmax"},
    "bag": {"architecture": "cbow", "negatives": 5},
    "bag, sum": {"architecture": "cbow", "negatives": 2, "mean": False},
    "bag, tree": {"architecture": "cbow", "objective": "hierarchical"},
    "bag, all words": {"architecture": "cbow", "objective": "softmax"},
    "parts of words": {"negatives": 5, "subwords": (2, 3, 50)},
    "bag, parts of words": {"architecture": "cbow", "negatives": 3, "subwords": (2, 3, 50)},
}


def corpus():
    """Short texts of frequent words, and 2,000 texts of one word: so many that no word is drawn twice for an example.

    The kernel takes the targets of an example at once; one that is there twice would move twice by its old score.
    """
    generator = np.random.default_rng(3)
    frequent = [[f"w{i}" for i in (12 * generator.random(size) ** 2).astype(int)] for size in (2, 9, 5, 14)]
    return corpus_of(frequent + [[f"w{i}"] for i in range(2000)])


def mixed(number):
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & MASK
    return number ^ (number >> 31)


def kept_in(words, start, stop, seed):
    """The kept words of a stretch, -1 between texts."""
    ids, keep = words.ids, words.keep
    stays = lambda p: (mixed((seed + p * GOLDEN) & MASK) >> 32) < int(keep[ids[p]])  # noqa: E731
    return [int(ids[p]) for p in range(start, stop) if ids[p] < 0 or stays(p)]


def examples(words, manner, seed):
    """Every example of a whole text as one chunk: (words beside, the word, its targets, what they should say)."""
    kept, state = kept_in(words, 0, len(words.ids), seed), mixed(seed ^ mixed(GOLDEN))
    for i, word in enumerate(kept):
        if word < 0:
            continue
        state = (state + GOLDEN) & MASK
        width = 1 + ((mixed(state) >> 32) * manner.window >> 32)
        left, right = kept[max(0, i - width) : i][::-1], kept[i + 1 : i + 1 + width]
        beside = [part[: part.index(-1)] if -1 in part else part for part in (left, right)]
        beside = beside[0] + beside[1]
        apart = manner.objective == kernel.NEGATIVE and not (manner.bag or manner.shared)
        draws = []
        for _ in range(len(beside) if apart else min(1, len(beside))):
            targets, state = aim(words, manner, word, state)
            draws.append(targets)
        if beside and manner.bag:
            yield beside, word, draws[0]
        elif beside:
            for k, one in enumerate(beside):
                yield [one], word, draws[k if apart else 0]


def aim(words, manner, word, state):
    """Targets as (row, what it should say), and the new state."""
    if manner.objective == kernel.HIERARCHICAL:
        places = range(words.node_starts[word], words.node_starts[word + 1])
        return [(int(words.nodes[k]), float(words.turns[k])) for k in places], state
    targets = [(word, 1.0)]
    for _ in range(manner.negatives if manner.objective == kernel.NEGATIVE else 0):
        state = (state + GOLDEN) & MASK
        number = mixed(state)
        other = (number >> 32) * len(words.alias) >> 32
        if (number & 0xFFFFFFFF) >= int(words.alias_share[other]):
            other = int(words.alias[other])
        if other != word:
            targets.append((other, 0.0))
    return targets, state


def loss_of(h, outputs, word, targets, manner):
    if manner.objective == kernel.SOFTMAX:
        return -torch.log_softmax(outputs @ h, 0)[word]
    rows, says = [row for row, _ in targets], torch.tensor([says for _, says in targets], dtype=torch.float64)
    return torch.nn.functional.binary_cross_entropy_with_logits(outputs[rows] @ h, says, reduction="sum")


def descended(words, manner, inputs, outputs, seed):
    """The rows after stochastic gradient descent, one example after the other, and the mean loss."""
    inputs, outputs, losses = torch.tensor(inputs, dtype=torch.float64), torch.tensor(outputs, dtype=torch.float64), []
    for beside, word, targets in examples(words, manner, seed):
        assert len({row for row, _ in targets}) == len(targets)
        rows = [int(r) for w in beside for r in words.rows[words.row_starts[w] : words.row_starts[w + 1]]]
        h = (inputs[rows].mean(0) if manner.mean else inputs[rows].sum(0)).requires_grad_()
        outputs.requires_grad_()
        loss = loss_of(h, outputs, word, targets, manner)
        by_h, by_outputs = torch.autograd.grad(loss, (h, outputs))
        outputs = outputs.detach() - RATE * by_outputs
        for row in rows:
            inputs[row] -= RATE * by_h * (1 if manner.mean else 1 / len(rows))
        losses.append(float(loss.detach()))
    return inputs.numpy(), outputs.numpy(), losses


@pytest.mark.parametrize("name", SETTINGS)
def test_moves_rows_as_autograd_says(name):
    text, model = corpus(), Word2Vec(dimension=20, window=3, sample=0.01, **SETTINGS[name])
    words, manner, state = model._words(text), model.manner(text), model.start(text)
    outputs = np.random.default_rng(0).normal(0, 0.3, (len(text.vocabulary), 20))
    state.inputs[:, :20] *= 8
    state.outputs[:, :20] = outputs
    wanted = descended(words, manner, state.inputs[:, :20], state.outputs[:, :20], 1)
    memory = _memory(words, manner, state.inputs, state.outputs)
    loss, measured = kernel.train(words, manner, memory, 0, len(text.ids), np.uint64(1), RATE)
    assert np.abs(state.inputs[:, :20] - wanted[0]).max() < 2e-5
    assert np.abs(state.outputs[:, :20] - wanted[1]).max() < 2e-5
    assert not state.inputs[:, 20:].any()
    assert not state.outputs[:, 20:].any()
    assert 0 < measured <= len(wanted[2])
    if manner.objective == kernel.SOFTMAX:  # whose loss is always measured
        assert loss == pytest.approx(sum(wanted[2]), rel=1e-4)


def test_the_loss_that_is_told_is_that_of_a_part_of_the_words():
    text = corpus_of([list("abcdefgh") * 200])
    model = Word2Vec(dimension=8, window=2, sample=0, negatives=3)
    words, manner, state = model._words(text), model.manner(text), model.start(text)
    memory = _memory(words, manner, state.inputs, state.outputs)
    loss, measured = kernel.train(words, manner, memory, 0, len(text.ids), np.uint64(1), 1e-30)
    assert measured > 100
    assert loss / measured == pytest.approx(np.log(2) * (1 + 3 * 7 / 8), rel=0.03)  # a negative in 8 is the word itself


@pytest.mark.parametrize("window", [1, 3])
def test_chunks_keep_what_the_whole_keeps_and_see_over_their_borders(window):
    text = corpus_of([[str(n % 9) for n in range(m)] for m in (50, 3, 1, 60)])
    words = Word2Vec(sample=0.05)._words(text)
    whole = kept_in(words, 0, len(text.ids), 5)
    together, kept = [], np.zeros(CHUNK + 99, np.int32)
    for start in range(0, len(text.ids), 7):
        stop = min(start + 7, len(text.ids))
        begin, end, size = kernel.gather(words, start, stop, np.uint64(5), window, kept)
        assert kept[begin:end].tolist() == kept_in(words, start, stop, 5)
        together += kept[begin:end].tolist()
        place = len(together)
        assert kept[end:size].tolist() == until_end(
            whole[place:], window, open_text=whole[place - 1] != -1, stop=stop, words=words
        )
        before = kept[begin - window if begin > window else 0 : begin].tolist()
        assert before == whole[: place - (end - begin)][len(whole[: place - (end - begin)]) - len(before) :]
    assert together == whole


def until_end(rest, window, *, open_text, stop, words):
    """The next kept words of the text in which a chunk stopped."""
    if stop >= len(words.ids) or words.ids[stop] < 0 or (stop and words.ids[stop - 1] < 0 and not open_text):
        rest = rest if stop < len(words.ids) and words.ids[stop] >= 0 else []
    return rest[: min(window, rest.index(-1) if -1 in rest else len(rest))]


def test_words_are_kept_as_often_as_they_should_be():
    text = corpus_of([["a"] * 9000 + ["b"] * 900 + ["c"] * 100])
    words = Word2Vec(sample=0.01)._words(text)
    kept = kept_in(words, 0, len(text.ids), 3)
    for word, n in enumerate((9000, 900, 100)):
        share = 0.01 * 10000 / n
        chance = min(1, share**0.5 + share)
        assert kept.count(word) == pytest.approx(n * chance, abs=4 * (n * chance * (1 - chance)) ** 0.5 + 1e-9)


def test_keys_differ_by_seed_epoch_and_rank():
    assert len({int(key(s, e, r)) for s in range(3) for e in range(3) for r in range(3)}) == 27


def test_merged_copies_move_rows_by_what_all_of_them_moved():
    table = np.ones((4, 16), np.float32)
    copies = np.ones((3, 4, 16), np.float32)
    copies[:, 0], copies[:, 3] = 9, 9  # not asked for
    copies[0, 1] += 6
    copies[:, 2] += [[3], [6], [-18]]
    merge(table, copies, np.array([1, 1, 3, 1], np.float32), 1, 3)
    assert table[:, 0].tolist() == [1, 7, -2, 1]
    assert (copies[:, 1:3] == table[1:3]).all()
    assert (copies[:, 0] == 9).all()


@pytest.mark.parametrize("name", SETTINGS)
def test_rows_move_as_often_as_is_expected(name):
    generator = np.random.default_rng(5)
    text = corpus_of([[f"w{i}" for i in (25 * generator.random(20000) ** 2).astype(int)]])
    model = Word2Vec(dimension=4, window=2, sample=0.02, **SETTINGS[name])
    words, manner = model._words(text), model.manner(text)
    state = model.start(text)
    shapes = len(state.inputs), len(text.vocabulary)
    inputs, outputs = (moves * len(text.ids) for moves in expected_moves(words, manner, text.vocabulary.counts, shapes))
    seen = np.zeros(shapes[0]), np.zeros(shapes[1])
    for beside, _, targets in examples(words, manner, 3):
        for other in beside:
            np.add.at(seen[0], words.rows[words.row_starts[other] : words.row_starts[other + 1]], 1)
        rows = range(shapes[1]) if manner.objective == kernel.SOFTMAX else [row for row, _ in targets]
        np.add.at(seen[1], list(rows), 1)
    frequent = inputs > 200
    assert seen[0][frequent] == pytest.approx(inputs[frequent], rel=0.2)
    if manner.objective != kernel.NEGATIVE:
        assert seen[1].sum() == pytest.approx(outputs.sum(), rel=0.05)
    else:  # a negative that is the word itself does not move
        assert seen[1].sum() == pytest.approx(outputs.sum(), rel=0.1)


def test_rows_that_moved_little_are_summed_and_others_averaged():
    divided = divisors(np.array([0.0, 1.0, 1e3, 1e9]), 0.025, 4)
    assert divided[0] == 1
    assert divided[1] == pytest.approx(1 + 3 * 0.0025, rel=0.01)
    assert 3 < divided[2] < 4
    assert divided[3] == 4
