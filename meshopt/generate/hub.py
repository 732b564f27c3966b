"""The Hugging Face hub: what its cache has, and downloads."""

from __future__ import annotations

from pathlib import Path

from meshopt.errors import InputError
from meshopt.generate.libraries import require_diffusers

WANTED = ("*.json", "*.txt", "*.safetensors", "*.md", "pipeline.py")
UNWANTED = ("*.fp16.*", "*.non_ema.*", "*/*.py")  # other copies of the weights; code inside components
SPACES = "spaces/"  # as the hub's addresses have it before the names of spaces


def _name_and_type(repository: str) -> tuple[str, str]:
    name = repository.removeprefix(SPACES)
    return name, "model" if name == repository else "space"


def cached(repository: str, revision: str | None) -> Path | None:
    """The folder that the cache has of a repository, or None; asks nobody."""
    require_diffusers()
    import huggingface_hub
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    name, kind = _name_and_type(repository)
    try:
        found = huggingface_hub.snapshot_download(name, repo_type=kind, revision=revision, local_files_only=True)
        return Path(found)
    except (LocalEntryNotFoundError, FileNotFoundError):
        return None
    except (HFValidationError, ValueError) as error:
        raise InputError(f"{repository} at {revision} is no repository on the hub: {error}.") from error


def download(
    repository: str, revision: str | None, pickles: bool, inside: str = "", files: tuple[str, ...] = ()
) -> Path:
    """Downloads what is needed of a repository into the cache. Raises InputError where that fails.

    `inside`: of this folder alone. `files`: besides what is needed of every repository.
    """
    require_diffusers()
    import huggingface_hub

    wanted = [*WANTED, *files, "*.bin"] if pickles else [*WANTED, *files]
    wanted = [f"{inside}/{pattern}" if inside else pattern for pattern in wanted]
    name, kind = _name_and_type(repository)
    try:
        folder = huggingface_hub.snapshot_download(
            name, repo_type=kind, revision=revision, allow_patterns=wanted, ignore_patterns=list(UNWANTED)
        )
    except Exception as error:  # the network's and the hub's errors are of many kinds
        reason = " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
        raise InputError(
            f"{repository} cannot be downloaded ({reason}): check the network, or take it from a folder with --weights."
        ) from error
    return Path(folder)


def size_on_hub(repository: str, revision: str | None, inside: str = "", files: tuple[str, ...] = ()) -> int | None:
    """Bytes of the weights, as the hub says; None where it does not. This asks the hub."""
    require_diffusers()
    import huggingface_hub

    name, kind = _name_and_type(repository)
    try:
        info = huggingface_hub.HfApi().repo_info(name, repo_type=kind, revision=revision, files_metadata=True)
    except Exception:  # as above; a size is not worth an error
        return None
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or () if ".fp16." not in file.rfilename}
    below = f"{inside}/" if inside else ""
    sizes = {file.removeprefix(below): size for file, size in sizes.items() if file.startswith(below)}
    safe, pickled = (sum(n for file, n in sizes.items() if file.endswith(end)) for end in (".safetensors", ".bin"))
    return (safe or pickled) + sum(sizes.get(file, 0) for file in files) or None
