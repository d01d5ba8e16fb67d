"""What an attempt changed is found with git and without, and nothing of the user's is touched meanwhile."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from orchestration.attempts.changes import Changes, Found, watched
from orchestration.attempts.changes.git import MAX_DIFF, MAX_FILE
from orchestration.attempts.changes.listing import listing_of
from orchestration.masking import Masker

ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath)}
pytestmark = pytest.mark.slow


def git(folder: Path, *arguments: str) -> str:
    """Run git as a user would, who has no settings of their own."""
    who = {"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.com"}
    who |= {"GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.com", "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env={**ENVIRONMENT, **who}, check=True, capture_output=True, timeout=30
    )
    return done.stdout.decode()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a commit, a change that is staged, one that is not, and a new file."""
    root = tmp_path / "project"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    write(root, {"a.txt": "one\n", "b.txt": "two\n", "sub/c.txt": "three\n", ".gitignore": "*.log\nbuild/\n"})
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "first")
    write(root, {"a.txt": "one, staged\n"})
    git(root, "add", "a.txt")
    write(root, {"b.txt": "two, not staged\n", "new.txt": "new\n"})
    return root


def write(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@asynccontextmanager
async def watching(root: Path, masker: Masker | None = None, **more: str) -> AsyncIterator[Changes]:
    scratch = root.parent / "scratch"
    async with watched(root, scratch, {**ENVIRONMENT, **more}, masker=masker) as changes:
        yield changes
    assert not scratch.exists()


async def found(changes: Changes) -> Found:
    what = await changes.found()
    assert what is not None
    return what


def contents(root: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below a folder, with its time and bytes; git renews the times of objects that it meets again."""
    return {
        str(path.relative_to(root)): (0 if is_shared(path) else path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def is_shared(path: Path) -> bool:
    return "objects" in path.parts or path.name.startswith("sharedindex.")


@contextmanager
def untouched(folder: Path) -> Iterator[None]:
    before = contents(folder)
    yield
    assert contents(folder) == before


# -- with git -------------------------------------------------------------------------------------------------------


async def test_nothing_changed_is_told_as_such(repository: Path) -> None:
    async with watching(repository) as changes:
        assert await found(changes) == Found((), "")


async def test_only_what_changed_meanwhile_is_found_with_its_patch(repository: Path) -> None:
    async with watching(repository) as changes:
        write(repository, {"a.txt": "one, by the agent\n", "sub/new.txt": "hello\n", "sub/x.log": "ignored\n"})
        (repository / "sub/c.txt").unlink()
        (repository / "b.txt").chmod(0o755)
        what = await found(changes)
    assert what.paths == ("a.txt", "b.txt", "sub/c.txt", "sub/new.txt")
    diff = what.diff or ""
    assert "-one, staged\n+one, by the agent\n" in diff
    assert "--- /dev/null\n+++ b/sub/new.txt\n@@ -0,0 +1 @@\n+hello\n" in diff
    assert "deleted file mode" in diff
    assert "old mode 100644\nnew mode 100755" in diff
    assert "not staged" not in diff


async def test_nothing_is_written_to_the_repository(repository: Path) -> None:
    with untouched(repository / ".git"):
        async with watching(repository) as changes:
            write(repository, {"a.txt": "changed\n", "more/new.txt": "new\n"})
            assert (await found(changes)).paths == ("a.txt", "more/new.txt")


async def test_commits_and_resets_made_meanwhile_do_not_hide_what_changed(repository: Path) -> None:
    async with watching(repository) as changes:
        write(repository, {"sub/c.txt": "changed\n"})
        git(repository, "add", "-A")
        git(repository, "commit", "-q", "-m", "by the agent")
        assert (await found(changes)).paths == ("sub/c.txt",)
        git(repository, "reset", "-q", "--hard", "HEAD~1")
        assert (await found(changes)).paths == ("a.txt", "b.txt", "new.txt")


async def test_no_hook_filter_or_monitor_is_run(repository: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    hook = repository / ".git/hooks/post-index-change"
    write(
        repository,
        {
            ".git/hooks/post-index-change": f"#!/bin/sh\necho hook >> {trace}\n",
            ".gitattributes": "* filter=x=y diff=z\n",
        },
    )
    hook.chmod(0o755)
    git(repository, "config", "core.fsmonitor", str(hook))
    for name, line in {
        "filter.x=y.clean": f"tee -a {trace}",
        "filter.x=y.required": "true",
        "diff.z.textconv": f"tee -a {trace}",
    }.items():
        git(repository, "config", name, line)
    async with watching(repository) as changes:
        git(repository, "config", "diff.external", f"tee -a {trace}")
        write(repository, {"a.txt": "changed\n", "new.txt": "changed\n"})
        what = await found(changes)
    assert what.paths == ("a.txt", "new.txt")
    assert "+changed" in (what.diff or "")
    assert not trace.exists()


async def test_in_a_folder_of_a_repository_only_that_is_looked_at(repository: Path) -> None:
    async with watching(repository / "sub") as changes:
        write(repository, {"a.txt": "elsewhere\n", "sub/c.txt": "here\n"})
        what = await found(changes)
    assert what.paths == ("c.txt",)
    assert "+++ b/c.txt" in (what.diff or "")


async def test_a_linked_work_tree_is_watched_as_well(repository: Path, tmp_path: Path) -> None:
    git(repository, "worktree", "add", "-q", str(tmp_path / "linked"), "-b", "other")
    with untouched(repository / ".git"):
        async with watching(tmp_path / "linked") as changes:
            write(tmp_path / "linked", {"b.txt": "linked\n"})
            assert (await found(changes)).paths == ("b.txt",)


async def test_a_copy_inside_of_an_ignored_folder_is_compared_by_names_and_times(repository: Path) -> None:
    write(repository, {"build/copy/x.txt": "x"})
    async with watching(repository / "build/copy") as changes:
        write(repository, {"build/copy/y.txt": "y"})
        assert await found(changes) == Found(("y.txt",), None)


async def test_our_own_state_folder_is_no_change(repository: Path) -> None:
    async with watching(repository) as changes:
        write(repository, {".orchestration/state.db": "x", "sub/.orchestration/x": "x"})
        assert await found(changes) == Found((), "")


async def test_a_repository_with_conflicts_promises_and_a_split_index_is_looked_at(repository: Path) -> None:
    git(repository, "commit", "-q", "-am", "ours")
    git(repository, "checkout", "-q", "-b", "side", "HEAD~1")
    write(repository, {"a.txt": "theirs\n"})
    git(repository, "commit", "-q", "-am", "theirs")
    with pytest.raises(subprocess.CalledProcessError):
        git(repository, "merge", "main")
    git(repository, "add", "--intent-to-add", "new.txt")
    git(repository, "update-index", "--split-index")
    with untouched(repository / ".git"):
        async with watching(repository) as changes:
            write(repository, {"a.txt": "solved\n"})
            what = await found(changes)
    assert what.paths == ("a.txt",)
    assert "+solved" in (what.diff or "")


async def test_a_repository_without_a_commit_is_looked_at(tmp_path: Path) -> None:
    root = tmp_path / "pro:ject"
    root.mkdir()
    git(root, "init", "-q")
    write(root, {"a.txt": "one\n"})
    async with watching(root) as changes:
        write(root, {"a.txt": "two\n"})
        what = await found(changes)
    assert what.paths == ("a.txt",)
    assert "-one\n+two" in (what.diff or "")


async def test_a_file_that_becomes_a_folder_and_a_link_are_changes(repository: Path) -> None:
    async with watching(repository) as changes:
        (repository / "a.txt").unlink()
        write(repository, {"a.txt/inner": "x\n"})
        (repository / "link").symlink_to("nowhere")
        (repository / "b.txt").unlink()
        (repository / "b.txt").symlink_to("/etc")
        assert (await found(changes)).paths == ("a.txt", "a.txt/inner", "b.txt", "link")


async def test_binary_files_and_strange_names_are_named_and_not_shown(repository: Path) -> None:
    raw = os.fsencode(repository) + b"/caf\xe9\n.txt"
    async with watching(repository) as changes:
        (repository / "image.bin").write_bytes(bytes(range(256)))
        Path(os.fsdecode(raw)).write_text("x")
        write(repository, {"ünï\t.txt": "x\n"})
        what = await found(changes)
    assert what.paths == ("caf\ufffd\n.txt", "image.bin", "ünï\t.txt")
    assert "Binary files /dev/null and b/image.bin differ" in (what.diff or "")


async def test_large_files_are_compared_by_size_and_time(repository: Path) -> None:
    for name in ("same.bin", "other.bin", "shrinks.bin"):
        (repository / name).write_bytes(b"\0" * (MAX_FILE + 1))
    async with watching(repository) as changes:
        assert (await found(changes)).paths == ()
        (repository / "other.bin").write_bytes(b"\1" * (MAX_FILE + 2))
        (repository / "shrinks.bin").write_bytes(b"small")
        (repository / "a.txt").write_bytes(b"grown" * MAX_FILE)
        what = await found(changes)
    assert what.paths == ("a.txt", "other.bin", "shrinks.bin")
    assert "Large file other.bin differs\n" in (what.diff or "")
    assert len(what.diff or "") < 1000


async def test_a_patch_is_bounded_and_says_so(repository: Path) -> None:
    async with watching(repository) as changes:
        write(repository, {"long.txt": "line\n" * (MAX_DIFF // 4)})
        diff = (await found(changes)).diff or ""
    assert len(diff) < MAX_DIFF + 100
    assert diff.endswith(" bytes left out]\n")


async def test_secrets_are_masked_in_patch_and_paths(repository: Path) -> None:
    secret = "sk-test-0123456789"
    async with watching(repository, Masker([secret])) as changes:
        write(repository, {"a.txt": f"key={secret}\n", f"{secret}.txt": "x\n"})
        what = await found(changes)
    assert what.paths == ("a.txt", "***.txt")
    assert "+key=***\n" in (what.diff or "")
    assert secret not in repr(what)


async def test_the_environment_of_the_user_cannot_lead_git_elsewhere(repository: Path, tmp_path: Path) -> None:
    async with watching(repository, GIT_DIR=str(tmp_path), GIT_INDEX_FILE="/nowhere/index") as changes:
        write(repository, {"a.txt": "changed\n"})
        assert (await found(changes)).paths == ("a.txt",)


async def test_a_repository_that_was_removed_meanwhile_is_not_known(repository: Path) -> None:
    async with watching(repository) as changes:
        (repository / ".git").rename(repository / "git")
        assert await changes.found() is None


async def test_a_git_that_hangs_is_given_up_and_fails_nothing(repository: Path, tmp_path: Path) -> None:
    write(tmp_path, {"bin/git": "#!/bin/sh\nexec sleep 60\n"})
    (tmp_path / "bin/git").chmod(0o755)
    environment = {"PATH": f"{tmp_path / 'bin'}:{ENVIRONMENT['PATH']}"}
    async with watched(repository, tmp_path / "scratch", environment, patience=0.3) as changes:
        write(repository, {"a.txt": "changed by size\n"})
        assert await changes.found() == Found(("a.txt",), None)


async def test_a_cancelled_look_leaves_nothing_behind(repository: Path, tmp_path: Path) -> None:
    write(tmp_path, {"bin/git": f"#!/bin/sh\ntouch {tmp_path}/started\nexec sleep 60\n"})
    (tmp_path / "bin/git").chmod(0o755)

    async def look() -> None:
        async with watched(repository, tmp_path / "scratch", {"PATH": f"{tmp_path / 'bin'}:{os.defpath}"}):
            pass

    running = asyncio.ensure_future(look())
    async with asyncio.timeout(20):
        while not (tmp_path / "started").exists():  # noqa: ASYNC110  # another process makes it
            await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not (tmp_path / "scratch").exists()


# -- without git ----------------------------------------------------------------------------------------------------


async def test_without_git_names_sizes_and_times_tell(tmp_path: Path) -> None:
    root = tmp_path / "plain"
    write(root, {"a.txt": "one", "b/c.txt": "two", "d.txt": "x", ".orchestration/x": "x", "__pycache__/x": "x"})
    async with watching(root, PATH="/nowhere") as changes:
        assert await found(changes) == Found((), None)
        write(root, {"a.txt": "longer", "b/new.txt": "x", ".orchestration/y": "y", "__pycache__/y": "y"})
        (root / "d.txt").unlink()
        assert await found(changes) == Found(("a.txt", "b/new.txt", "d.txt"), None)


async def test_of_a_folder_that_is_not_there_everything_is_new(tmp_path: Path) -> None:
    async with watching(tmp_path / "later", PATH="/nowhere") as changes:
        write(tmp_path / "later", {"a.txt": "x"})
        assert await found(changes) == Found(("a.txt",), None)


def test_a_listing_is_bounded_and_says_so(tmp_path: Path) -> None:
    write(tmp_path, {f"{n:03}.txt": "x" for n in range(20)} | {"z/deep.txt": "x"})
    (tmp_path / "loop").symlink_to(tmp_path)
    listing = listing_of(tmp_path, 10)
    assert (list(listing.files), listing.complete) == ([f"{n:03}.txt" for n in range(10)], False)
    whole = listing_of(tmp_path)
    assert whole.complete
    assert set(whole.files) == {*(f"{n:03}.txt" for n in range(20)), "z/deep.txt", "loop"}
