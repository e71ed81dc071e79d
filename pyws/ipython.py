"""How an exception is shown where IPython runs the program: in a notebook, or at its prompt.

IPython puts hooks of its own into `sys.excepthook`. The one for the time in which a cell runs is meant for exceptions
of that cell: what it shows can make a notebook take the cell for failed. The others are meant for mistakes of IPython:
they advise to report one, or write where no notebook shows it. None fits an exception of a listener.

Law: the hook that a program has set is called, as everywhere.
https://ipython.readthedocs.io/en/stable/api/generated/IPython.core.interactiveshell.html
"""

import sys
import traceback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

    Hook = Callable[[type[BaseException], BaseException, TracebackType | None], object]

# Whose hooks are no choice of the program: IPython, the kernel of Jupyter, that of JupyterLite, and Python itself.
PACKAGES = ("IPython", "ipykernel", "pyodide_kernel", "sys")


def excepthook(hook: "Hook") -> "Hook":
    """Return what takes the place of `hook`, which is in `sys.excepthook`; the hook itself if a program has set it."""
    shell = _shell()
    if shell is None:
        return hook
    if getattr(hook, "__self__", None) is shell:
        # A cell runs. The hook before it, which comes back at its end, may be one of the program's.
        hook = shell.sys_excepthook
    if _package(hook) not in PACKAGES:
        return hook

    def show(kind: "type[BaseException]", error: BaseException, trace: "TracebackType | None") -> None:
        _show(shell, kind, error, trace)

    return show


def _shell() -> "Any":
    """Return the shell that runs the program; None if a program has only imported IPython."""
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return get_ipython() if get_ipython is not None else None


def _package(hook: object) -> str:
    return (getattr(hook, "__module__", None) or "").partition(".")[0]


def _show(shell: "Any", kind: "type[BaseException]", error: BaseException, trace: "TracebackType | None") -> None:
    """Write the traceback that IPython makes of an exception to `sys.stderr`, which notebooks show where output goes.

    `shell.showtraceback` makes the same, but it may mark a cell as failed.
    """
    if _has_group(error):  # IPython shows no group either
        traceback.print_exception(kind, error, trace)
        return
    if trace is not None and trace.tb_next is not None:
        trace = trace.tb_next  # the first frame is the call of the listener; where that itself fails it is the only one
    maker = shell.InteractiveTB
    text = maker.stb2text(maker.structured_traceback(kind, error, trace, tb_offset=0))
    sys.stderr.write(f"{text}\n")


def _has_group(error: "BaseException | None") -> bool:
    """Tell whether an exception, or one that led to it, is a group."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, BaseExceptionGroup):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False
