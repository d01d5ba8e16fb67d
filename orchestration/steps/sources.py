"""Where the secrets of steps are kept: as the given settings say, or those of the project around the folder."""

from collections.abc import Mapping
from pathlib import Path

from orchestration.errors import InvalidProject, NoProject
from orchestration.loading.project import find_root
from orchestration.loading.settings import read_settings
from orchestration.models import Settings
from orchestration.models.settings import SecretSource


def sources_for(directory: Path, settings: Settings | None) -> tuple[Path, Mapping[str, SecretSource]]:
    """The folder in which relative files start and commands run, and where each secret is kept.

    Read anew each time: who has corrected the settings need not start again.

    Raises:
        InvalidProject: the project's `secrets` cannot be understood.
    """
    if settings is not None:
        return directory, settings.secrets
    try:
        root = find_root(directory)
    except NoProject:
        return directory, {}
    catch = read_settings(root)
    for finding in catch.findings:
        if finding.grave and (finding.path or ("",))[0] in {"", "secrets"}:
            raise InvalidProject(finding.message, hint=finding.hint, file=finding.file, line=finding.line)
    return root, catch.settings.secrets
