"""The command `throughtime`: which words call what. Nothing here imports torch."""

import os
import sys
from collections.abc import Callable
from importlib import import_module
from io import TextIOWrapper

from throughtime.errors import ArgumentError, ThroughtimeError, nearest, printable

COMMANDS = {
    "train": "learn from a file: throughtime train language --text FILE --out RUN; classify, tag, forecast, act ...",
    "generate": "write text with a trained model: throughtime generate RUN --prompt 'To be'",
    "translate": "a line of a translation for each line: throughtime translate RUN [FILE]",
    "predict": "what a run says of each item of a file: throughtime predict RUN FILE",
    "stream": "answer each line of stdin at once: throughtime stream RUN",
    "embed": "the vector of each sentence of a file: throughtime embed RUN FILE --out VECTORS.npy",
    "evaluate": "how well a run does on a file, or on what it held out: throughtime evaluate RUN --data FILE",
    "mistakes": "the surest wrong answers and the words that mattered: throughtime mistakes RUN --page FILE.html",
    "diagnose": "whether a translator's errors are its search's or its model's: throughtime diagnose RUN --pairs FILE",
    "show": "what a run is, its curve, sizes and data: throughtime show RUN",
    "compare": "train several cores on equal terms and judge them: throughtime compare DATA --cores lstm,gru --out DIR",
    "tune": "search settings of a recipe: throughtime tune classify DATA --trials N --minutes M --out DIR",
    "vectors": "word vectors, from counting to debiasing: throughtime vectors train --text FILE --out TABLE",
    "data": "public corpora, and data made here: throughtime data list | get NAME | make NAME",
    "check": "what is in labelled data, before training: throughtime check FILE...",
    "doctor": "versions, threads, devices, folders: throughtime doctor",
}
HELP = """Throughtime: sequence models, recurrent first. From a file to a small trained model with one command.

usage: throughtime COMMAND ... [--help]

{commands}

throughtime COMMAND --help tells a command's options with their defaults and units.
throughtime --version tells the version.
"""


def main() -> None:
    """Runs the command line and exits with its status: 0 well, 2 wrong input, 130 Ctrl-C, 143 SIGTERM."""
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # threads that wait give a busy core back to whoever needs it
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a character is no reason to stop
    if sys.stdout is None:  # closed, as by `>&-`: its number is taken, and what is written there fails
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w")
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    sys.exit(run(sys.argv[1:]))


def run(words: list[str]) -> int:
    """The exit status of a command line; an error of ours is one line on stderr and status 2."""
    try:
        status = _dispatch(words)
        sys.stdout.flush()
        return status
    except ThroughtimeError as error:
        return _refuse(str(error))
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "allocate" not in str(error):
            raise
        return _refuse(
            "there is not enough memory for this: choose smaller sizes "
            "(--hidden, --lanes, --steps; of vectors --dimension, --maximum-vocab)"
        )
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read our output has gone, as `head` does
        _forget_output()
        return 0
    except OSError as error:
        if error.filename is not None:  # of a file, so not of what we write out
            raise
        _forget_output()
        return _refuse(f"cannot write the output: {error.strerror or error}")


def _forget_output() -> None:
    """Sends what is still to be written out nowhere, so that the end of the program does not try it again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _refuse(message: str) -> int:
    sys.stderr.write(f"throughtime: {printable(' '.join(message.split()))}\n")
    return 2


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("--help", "-h", "help"):
        listing = "\n".join(f"  {name:<10}{about}" for name, about in COMMANDS.items())
        sys.stdout.write(HELP.format(commands=listing))
        return 0 if words else 2
    if words[0] == "--version":
        from throughtime import __version__

        sys.stdout.write(f"throughtime {__version__}\n")
        return 0
    if words[0] not in COMMANDS:
        raise ArgumentError(f"unknown command '{words[0]}'; {nearest(words[0], COMMANDS)}; see throughtime --help")
    command: Callable[[list[str]], int] = import_module(f"throughtime.cli.{words[0]}").command
    return command(words[1:])
