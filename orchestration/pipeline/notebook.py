"""The task of a pipeline that executes a notebook."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestration.errors import UsageError
from orchestration.pipeline.tasks import DoneByOthers
from orchestration.steps.reading import checked_list, checked_value_name


@dataclass
class NotebookTask(DoneByOthers):
    """Executes a notebook (`.ipynb`) in a process of its own; needs the extra `notebook`.

    Args:
        name: unique among its siblings.
        path: the notebook, relative to the pipeline's directory. It stays as it is: what was executed is kept in the
            attempt's folder, as `notebook.ipynb`, also when a cell has failed.
        parameters: the names of values that are assigned after its cell tagged `parameters`; by default those that
            this cell assigns, as far as they are known.
        returns: its variables that are passed on, read when its last cell has been executed; JSON.
        kernel: instead of the kernel that the notebook names.
    """

    name: str
    path: str | Path = ""
    parameters: Sequence[str] | None = None
    kernel: str | None = None

    def __post_init__(self) -> None:
        """Check what is written; raises UsageError."""
        if not str(self.path).endswith(".ipynb"):
            raise UsageError(f"NotebookTask {self.name!r:.100}: {str(self.path)!r:.100} is no .ipynb file")
        names: tuple[str, ...] | None = None
        if self.parameters is not None:
            checked_list(self.parameters, f"{self.name}: parameters")
            for one in self.parameters:
                checked_value_name(one, f"{self.name}: a parameter")
            names = tuple(self.parameters)
        task, returns = self._task(self.name, f"execute {self.path}")
        from orchestration.steps.notebooks import NotebookLeaf  # noqa: PLC0415  # only who has notebooks pays

        self.leaf = NotebookLeaf(task, str(self.path), names, returns, self.kernel)
