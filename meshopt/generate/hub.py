"""The Hugging Face hub: what its cache has, and downloads."""

from __future__ import annotations

from pathlib import Path

from meshopt.errors import InputError
from meshopt.generate.libraries import require_diffusers

WANTED = ("*.json", "*.txt", "*.safetensors", "*.md", "pipeline.py")
UNWANTED = ("*.fp16.*", "*.non_ema.*", "*/*.py")  # other copies of the weights; code inside components


def cached(repository: str, revision: str | None) -> Path | None:
    """The folder that the cache has of a repository, or None; asks nobody."""
    require_diffusers()
    import huggingface_hub
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(huggingface_hub.snapshot_download(repository, revision=revision, local_files_only=True))
    except (LocalEntryNotFoundError, FileNotFoundError):
        return None
    except (HFValidationError, ValueError) as error:
        raise InputError(f"{repository} at {revision} is no repository on the hub: {error}.") from error


def download(repository: str, revision: str | None, pickles: bool) -> Path:
    """Downloads what is needed of a repository into the cache. Raises InputError where that fails."""
    require_diffusers()
    import huggingface_hub

    wanted = [*WANTED, "*.bin"] if pickles else list(WANTED)
    try:
        folder = huggingface_hub.snapshot_download(
            repository, revision=revision, allow_patterns=wanted, ignore_patterns=list(UNWANTED)
        )
    except Exception as error:  # the network's and the hub's errors are of many kinds
        reason = " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
        raise InputError(
            f"{repository} cannot be downloaded ({reason}): check the network, or take it from a folder with --weights."
        ) from error
    return Path(folder)


def size_on_hub(repository: str, revision: str | None) -> int | None:
    """Bytes of the weights, as the hub says; None where it does not. This asks the hub."""
    require_diffusers()
    import huggingface_hub

    try:
        info = huggingface_hub.HfApi().model_info(repository, revision=revision, files_metadata=True)
    except Exception:  # as above; a size is not worth an error
        return None
    files = [(file.rfilename, file.size or 0) for file in info.siblings or () if ".fp16." not in file.rfilename]
    safe, pickled = (sum(n for name, n in files if name.endswith(end)) for end in (".safetensors", ".bin"))
    return safe or pickled or None
