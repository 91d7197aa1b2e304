"""torch.nn's RNN, LSTM and GRU with the sweeps of `scan` beneath: change the import, and only the speed changes.

    from throughtime.drop_in import LSTM      # before: from torch.nn import LSTM

    model = LSTM(3, 4, num_layers=2, bidirectional=True, batch_first=True)

Each class is a subclass of torch.nn's class of the same name and replaces nothing but `forward`. Constructor, weights
and their start, names in the `state_dict`, `repr`, checks and messages are torch's because they are torch's code, and
whoever asks `isinstance(module, torch.nn.LSTM)` is answered yes. Weights belong to the module alone: optimisers,
ties, parametrisations, `functional_call` and `copy.deepcopy` see what they see in torch.nn.

What is swept: float32 and float64 on the CPU. Everything else is handed to torch's own `forward` as it came: other
devices and types, where torch's kernels are best; autocast, tracing, transforms of torch.func, forward-mode
derivatives; empty batches; and all that does not fit, so that its error is torch's.

Dropout between layers draws what torch draws, in torch's order: the same seed gives the same masks. Derivatives of
derivatives go through the plain loop. TorchScript is not for these classes: give their weights to torch.nn's.
"""

from throughtime.drop_in.modules import GRU, LSTM, RNN

__all__ = ["GRU", "LSTM", "RNN"]
