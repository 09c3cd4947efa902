"""Imports what a bundle names as its workflow.

The bundle's folder goes to the front of `sys.path`, as a script's folder does, so that its modules import each other
(lazily too). Modules of bundles that were loaded before are forgotten first, and a name that would mix the bundle's
modules with Python's or an installed package's is refused instead of importing the wrong one.
"""

import importlib
import sys
import traceback
from pathlib import Path

from turnout_runtime.bundle.manifest import Manifest
from turnout_runtime.errors import WorkflowImportError
from turnout_runtime.workflow.base import Workflow
from turnout_runtime.workflow.entry import is_workflow

_roots: dict[Path, frozenset[str]] = {}
"""Folders whose modules this process may hold, and the names of what lies there."""


def load_entry(folder: Path, manifest: Manifest) -> object:
    """What `manifest.workflow` names: a workflow class, an instance, or `stages()`.

    Raises `WorkflowImportError` with the place in the bundle.
    """
    root = folder.resolve()
    _forget(root)
    _check_names(root)
    _prepend(root)
    try:
        module = importlib.import_module(manifest.module)
    except (Exception, SystemExit) as error:
        raise WorkflowImportError(f"importing {manifest.module}: {explain(error, root)}") from error
    return _named(module.__dict__, manifest)


def _named(namespace: dict[str, object], manifest: Manifest) -> object:
    found = namespace.get(manifest.attribute)
    if found is None:
        have = ", ".join(sorted(name for name, value in namespace.items() if is_workflow(value))) or "no workflow"
        raise WorkflowImportError(f"{manifest.module} has no {manifest.attribute}; it has {have}")
    incomplete = isinstance(found, type) and issubclass(found, Workflow)  # as_workflow tells what it lacks
    if not (is_workflow(found) or incomplete):
        raise WorkflowImportError(
            f"{manifest.workflow} is no workflow: it must be a class that extends turnout_runtime.Workflow,"
            " an instance of one, or the stages() of a workflow"
        )
    return found


def explain(error: BaseException, root: Path) -> str:
    """One line: the innermost line of the bundle's own code, the exception's type and message; never a traceback."""
    place = _place(error, root)
    text = " ".join(str(error.msg if isinstance(error, SyntaxError) else error).split())
    return f"{place}{type(error).__name__}: {text}" if text else f"{place}{type(error).__name__}"


def _place(error: BaseException, root: Path) -> str:
    frames = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        frames.append((error.filename, error.lineno))
    inside = [(Path(name), line) for name, line in frames if Path(name).is_relative_to(root)]
    return f"{inside[-1][0].relative_to(root)}:{inside[-1][1]}: " if inside else ""


def _prepend(root: Path) -> None:
    sys.dont_write_bytecode = True  # a __pycache__ would change the bundle that was just verified
    sys.path.insert(0, str(root))
    importlib.invalidate_caches()


def _forget(root: Path) -> None:
    """Modules of all bundles, whenever they were imported: of others, and of this one as it was before."""
    _roots[root] = frozenset(entry.stem for entry in root.iterdir() if entry.suffix == ".py" or entry.is_dir())
    for name, module in list(sys.modules.items()):
        if name != "__main__" and _is_a_bundles(name, getattr(module, "__file__", None)):
            del sys.modules[name]
    for folder in map(str, _roots):
        while folder in sys.path:
            sys.path.remove(folder)


def _is_a_bundles(name: str, file: str | None) -> bool:
    top = name.partition(".")[0]  # packages that are installed below a bundle's folder are not its modules
    return file is not None and any(top in names and Path(file).is_relative_to(root) for root, names in _roots.items())


def _check_names(root: Path) -> None:
    provided = {p.stem for p in root.iterdir() if p.suffix == ".py" or (p / "__init__.py").is_file()}
    taken = sorted(name for name in provided if name in sys.modules or name in sys.stdlib_module_names)
    if taken:
        raise WorkflowImportError(
            f"the bundle's module {taken[0]!r} has the name of a module of Python, or of one that is imported already:"
            " rename it"
        )
