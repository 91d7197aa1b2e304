"""throughtime doctor: what this machine is and has, for reports and for oneself."""

import json
import os
import platform
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import tyro

from throughtime.cli.parse import parse
from throughtime.kernels import build

PACKAGES = ("torch", "numpy", "numba", "llvmlite", "safetensors", "pydantic", "tyro", "rich", "jaxtyping")
EXTRAS = {
    "tokenizers": "subword",
    "pooch": "fetch",
    "matplotlib": "draw",
    "polars": "tables",
    "scipy": "vectors",
    "scikit-learn": "estimators",
    "optuna": "tune",
    "gymnasium": "act",
}


@dataclass
class Options:
    """Tells versions, threads, devices and folders."""

    json: Annotated[bool, tyro.conf.arg(help="print one JSON object")] = False


def command(words: list[str]) -> int:
    """Tells."""
    options = parse(Options, words, "doctor")
    facts = _facts()
    if options.json:
        sys.stdout.write(json.dumps(facts) + "\n")
        return 0
    width = max(len(name) for name in facts)
    sys.stdout.writelines(f"{name:<{width}}  {value}\n" for name, value in facts.items())
    return 0


def _facts() -> dict[str, Any]:
    import torch

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    facts: dict[str, Any] = {
        "throughtime": version("throughtime"),
        "python": platform.python_version(),
        "system": platform.platform(),
        **{name: _version(name) for name in PACKAGES},
        **{
            name: _version(name) or f"not installed: pip install 'throughtime[{extra}]'"
            for name, extra in EXTRAS.items()
        },
        "cores": os.cpu_count(),
        "torch threads": torch.get_num_threads(),
        "vector instructions": torch.backends.cpu.get_cpu_capability(),
        "oneDNN": "available" if "USE_MKLDNN=ON" in torch.__config__.show() else "not available",
        "GPUs": ", ".join(gpus) or "none",
        **_sweeps(build.cache_folder()),
    }
    return facts


def _sweeps(folder: Path) -> dict[str, Any]:
    """Where compiled sweeps are kept, what is there, and what they run on."""
    from throughtime.kernels import launch, vector

    programs = list(folder.glob("*/*.py"))
    current = folder / build.toolchain()
    size = sum(path.stat().st_size for path in folder.glob("*/**/*") if path.is_file())
    return {
        "sweep cache": str(folder),
        "sweep cache usable": _refusal(current) or "yes",
        "sweep cache programs": len(programs),
        "sweep cache outdated": sum(path.parent != current for path in programs),
        "sweep cache MB": round(size / 1e6, 1),
        "sweep vectors": f"{vector.host_lanes('float32')} float32, {vector.host_lanes('float64')} float64",
        "sweep threads": launch.runtime() or "Python's (no OpenMP runtime was found)",
    }


def _refusal(folder: Path) -> str | None:
    """Why compiled sweeps are not kept in a folder, if they are not."""
    if reason := build.refusal(folder):
        return f"no: {reason}"
    there = next(path for path in (folder, *folder.parents) if os.path.exists(path))
    if not there.is_dir():
        return f"no: {there} is not a folder"
    return None if os.access(there, os.W_OK | os.X_OK) else f"no: {there} cannot be written to"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
