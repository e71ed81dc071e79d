"""How an exception of a listener is shown where IPython runs the program: in a notebook, or at the prompt of IPython.

IPython puts hooks of its own into `sys.excepthook`. The one for the time in which a cell runs is for exceptions of the
cell: some notebooks then mark the cell as failed. The other ones are for defects of IPython itself: they ask for a
report of a defect, or write to a stream that a notebook does not show.

Its law: a hook that the program has set is called, as everywhere; only hooks of IPython are replaced.
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

# Their hooks are not set by a program: IPython, the kernel of Jupyter, the kernel of JupyterLite, and Python itself.
PACKAGES = ("IPython", "ipykernel", "pyodide_kernel", "sys")


def excepthook(hook: "Hook") -> "Hook":
    """Return the hook that takes the place of `sys.excepthook`, which is `hook`; `hook` itself if a program has set it.

    Call it when an exception has to be reported: IPython changes its hooks before and after each statement.
    """
    shell = _shell()
    if shell is None:
        return hook
    owner: Any = getattr(hook, "__self__", None)
    if owner is shell:
        # A cell runs. The shell keeps the hook from before, and sets it again after the cell: perhaps of the program.
        hook = shell.sys_excepthook
    if _package(hook) not in PACKAGES:
        return hook

    def show(kind: "type[BaseException]", error: BaseException, trace: "TracebackType | None") -> None:
        _show(shell, kind, error, trace)

    return show


def _shell() -> "Any":
    """Return the shell of IPython that runs the program; None if the program has only imported IPython."""
    get_ipython: Any = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return get_ipython() if get_ipython is not None else None


def _package(hook: object) -> str:
    return (getattr(hook, "__module__", None) or "").partition(".")[0]


def _show(shell: "Any", kind: "type[BaseException]", error: BaseException, trace: "TracebackType | None") -> None:
    """Write the traceback that IPython makes of an exception to `sys.stderr`, which a notebook shows below a cell.

    `shell.showtraceback` would write the same text, but as the error of a cell.
    """
    if _has_group(error):  # IPython leaves out the exceptions of a group
        traceback.print_exception(kind, error, trace)
        return
    # The first frame is the call of the listener. It stays if there is no other one, because the call itself failed.
    if trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
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
