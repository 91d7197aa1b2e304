"""Numba's passes that an emitted kernel needs, and no others: the rest takes a third of the time to compile one.

What is left out finds nothing in a kernel: it is for closures, objects, arrays, exceptions and generators. Nor is a
variable renamed where it is set anew (SSA): each has one type all along, and LLVM does this better. The machine code is
the same to the letter.
"""

from numba.core.compiler import CompilerBase
from numba.core.compiler_machinery import PassManager
from numba.core.typed_passes import (
    AnnotateTypes,
    IRLegalization,
    NativeLowering,
    NoPythonBackend,
    NopythonTypeInference,
)
from numba.core.untyped_passes import FixupArgs, IRProcessing, TranslateByteCode

UNTYPED = (TranslateByteCode, FixupArgs, IRProcessing)
TYPED = (NopythonTypeInference, IRLegalization, AnnotateTypes, NativeLowering, NoPythonBackend)


class Straight(CompilerBase):
    """Compiles the source of a kernel: loops over integers and vectors; `cfunc` takes it as `pipeline_class`."""

    def define_pipelines(self) -> list[PassManager]:
        """One pipeline, as Numba asks for it."""
        passes = PassManager("straight")  # type: ignore[no-untyped-call]
        for one in UNTYPED + TYPED:
            passes.add_pass(one, one.__name__)  # type: ignore[no-untyped-call]
        passes.finalize()  # type: ignore[no-untyped-call]
        return [passes]
