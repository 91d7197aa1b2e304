"""Settings that several recipes have, each with its bounds and what it is; a recipe gives the default."""

from typing import Annotated, Literal

from pydantic import Field

from throughtime.recipes.read import OptionalPlace

MOST_CLASSES = 10_000  # that a classifier tells apart

Rate = Annotated[float, Field(ge=0, lt=1)]
Hidden = Annotated[int, Field(ge=1, le=65536, description="units of each layer")]
Layers = Annotated[int, Field(ge=1, le=256, description="layers of the core")]
Heads = Annotated[int, Field(ge=1, le=64, description="of self-attention: parts of a layer that look apart")]
Positions = Annotated[
    Literal["rotary", "sinusoidal", "learnt", "none"],
    Field(description="of self-attention: how places are told: by turns of queries and keys, by what is added, not"),
]
Pretrained = Annotated[
    OptionalPlace,
    Field(description="a run of `language --objective masked`, whose units, embeddings and core are begun with"),
]
Accumulate = Annotated[int, Field(ge=1, le=65536, description="groups that a batch is computed in, to save memory")]
Minutes = Annotated[float | None, Field(gt=0, description="bound on the time, evaluations included")]
Epochs = Annotated[int | None, Field(ge=1, description="bound on the passes over the data")]
Optimiser = Annotated[Literal["adamw", "sgd"], Field(description="the optimiser")]
LearningRate = Annotated[float, Field(gt=0, description="highest learning rate")]
Momentum = Annotated[float, Field(ge=0, lt=1, description="of sgd")]
WeightDecay = Annotated[float, Field(ge=0, description="of adamw, on matrices")]
Schedule = Annotated[
    Literal["cosine", "plateau", "constant"],
    Field(
        description="how the rate falls: to 1/100 over the run; to 1/4 at evaluations without a new best; not at all"
    ),
]
WarmupSteps = Annotated[int, Field(ge=0, description="updates over which the rate rises at first")]
Clip = Annotated[float, Field(gt=0, description="largest norm of the gradient of the mean loss")]
Patience = Annotated[int, Field(ge=0, description="stop after so many evaluations without a new best (0: never)")]
EvaluateEvery = Annotated[int, Field(ge=1, description="updates between evaluations")]
Precision = Annotated[Literal["float32", "bfloat16"], Field(description="arithmetic of the forward pass")]
Device = Annotated[Literal["auto", "cpu", "cuda"], Field(description="where to compute")]
Seed = Annotated[int, Field(ge=0, lt=2**63, description="of everything random")]
