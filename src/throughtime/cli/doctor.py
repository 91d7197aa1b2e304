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

PACKAGES = ("torch", "numpy", "safetensors", "pydantic", "tyro", "rich", "jaxtyping")
EXTRAS = {"tokenizers": "subword", "pooch": "fetch", "matplotlib": "draw"}


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
        "kernels cache": f"{cache_folder()} (not used yet: no compiled kernels in this version)",
    }
    return facts


def cache_folder() -> Path:
    """Where compiled things are kept: THROUGHTIME_CACHE, or a folder in the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("THROUGHTIME_CACHE") or Path(base) / "throughtime")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
