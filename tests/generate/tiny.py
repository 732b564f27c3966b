"""Pipelines of few random weights, of the real classes, saved as diffusers saves them."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, EulerAncestralDiscreteScheduler, UNet2DConditionModel
from transformers import (
    CLIPImageProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModel,
    CLIPVisionModelWithProjection,
)

WIDTH = 32  # of the text's and the picture's embeddings


def beside(name: str) -> ModuleType:
    """The module in a file beside this one."""
    file = Path(__file__).with_name(name)
    spec = importlib.util.spec_from_file_location(f"meshopt_tiny_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tokenizer(folder: Path) -> CLIPTokenizer:
    """Of single letters; `folder` takes its files."""
    folder.mkdir(parents=True, exist_ok=True)
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *(letter + "</w>" for letter in letters)]
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77)


def text_encoder() -> CLIPTextModel:
    """CLIP's text model."""
    config = CLIPTextConfig(
        vocab_size=54, hidden_size=WIDTH, intermediate_size=37, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=77, projection_dim=WIDTH, bos_token_id=0, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    return CLIPTextModel(config)


def image_encoder(size: int = 32) -> CLIPVisionModelWithProjection:
    """CLIP's picture model."""
    config = CLIPVisionConfig(
        hidden_size=32, intermediate_size=37, num_hidden_layers=2, num_attention_heads=4, image_size=size,
        patch_size=8, projection_dim=WIDTH,
    )  # fmt: skip
    return CLIPVisionModelWithProjection(config)


def image_processor(size: int = 32) -> CLIPImageProcessor:
    """CLIP's preparation of pictures."""
    return CLIPImageProcessor(size={"height": size, "width": size}, do_center_crop=False)


def vae(levels: int = 2, width: int = 8) -> AutoencoderKL:
    """Pictures to latents of 1 / 2^(levels - 1) of their size."""
    return AutoencoderKL(
        block_out_channels=(width,) * (levels - 1) + (2 * width,), latent_channels=4, norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * levels, up_block_types=("UpDecoderBlock2D",) * levels,
    )  # fmt: skip


def unet(in_channels: int = 4, **more: Any) -> UNet2DConditionModel:
    """The denoising model, with attention to the embeddings."""
    return UNet2DConditionModel(
        block_out_channels=(32, 64), layers_per_block=1, sample_size=16, in_channels=in_channels, out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=WIDTH, attention_head_dim=8, norm_num_groups=8, **more,
    )  # fmt: skip


def as_published(path: Path, **more: Any) -> None:
    """Rewrites the config of a denoising model of six views, as Wonder3D's and Era3D's classes save it."""
    text = path.read_text().replace("AttnDownBlock2D", "AttnDownBlockMV2D").replace("AttnUpBlock2D", "AttnUpBlockMV2D")
    config = json.loads(text.replace("MidBlock2D", "MidBlockMV2D"))
    config |= {"_class_name": "UNetMV2DConditionModel", "num_views": 6, "cd_attention_last": False}
    path.write_text(json.dumps(config | {"multiview_attention": True} | more))


def marigold(folder: Path, seed: int = 0) -> Path:
    """A MarigoldNormalsPipeline."""
    from diffusers import MarigoldNormalsPipeline

    torch.manual_seed(seed)
    scheduler = DDIMScheduler(prediction_type="v_prediction", timestep_spacing="trailing", clip_sample=False)
    pipeline = MarigoldNormalsPipeline(
        unet=unet(8), vae=vae(), scheduler=scheduler, text_encoder=text_encoder(), tokenizer=tokenizer(folder / "w"),
        prediction_type="normals", use_full_z_range=True, default_denoising_steps=2, default_processing_resolution=32,
    )  # fmt: skip
    pipeline.save_pretrained(folder)
    return folder


def wonder3d(folder: Path, seed: int = 0) -> Path:
    """Wonder3D's components, saved as the published weights are: the denoising model with two parts of its own."""
    from meshopt.generate.pipelines.multiview import with_views

    torch.manual_seed(seed)
    denoising = with_views(unet(8, class_embed_type="projection", projection_class_embeddings_input_dim=10), 6)
    denoising.save_pretrained(folder / "unet")
    more = {"cd_attention_mid": True, "sparse_mv_attention": False, "mvcd_attention": False}
    as_published(folder / "unet" / "config.json", **more)
    vae(4).save_pretrained(folder / "vae")
    image_encoder().save_pretrained(folder / "image_encoder")
    image_processor().save_pretrained(folder / "feature_extractor")
    scheduler = DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False)
    scheduler.save_pretrained(folder / "scheduler")
    index = {
        "_class_name": "MVDiffusionImagePipeline",
        "feature_extractor": ["transformers", "CLIPImageProcessor"],
        "image_encoder": ["transformers", "CLIPVisionModelWithProjection"],
        "safety_checker": [None, None],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "unet": ["mvdiffusion.models.unet_mv2d_condition", "UNetMV2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def unique3d(folder: Path, seed: int = 0) -> Path:
    """Unique3D's two folders, as they are published: beside the components a pickle with all of each model."""
    from diffusers.models.attention_processor import Attention

    torch.manual_seed(seed)
    beta = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
    views, normals = folder / "img2mvimg", folder / "image2normal"
    plain, drawing, reference = unet(8, num_class_embeds=8), unet(), unet()
    state = drawing.state_dict() | {f"ref_unet.{key}": value for key, value in reference.state_dict().items()}
    for name, module in drawing.named_modules():
        if name.endswith("attn1"):
            cross = Attention(module.query_dim, heads=8, dim_head=module.query_dim // 8, bias=True).state_dict()
            state |= {f"{name}.processor.crosspond_attention.{key}": value for key, value in cross.items()}
    for part, model, tensors, kind, scheduler in (
        (views, plain, plain.state_dict(), "StableDiffusionImage2MVCustomPipeline", DDIMScheduler),
        (normals, drawing, state, "StableDiffusionImageCustomPipeline", EulerAncestralDiscreteScheduler),
    ):
        vae(6, 4).save_pretrained(part / "vae")  # 512 pixels are few latents: quick
        image_encoder().save_pretrained(part / "image_encoder")
        image_processor().save_pretrained(part / "feature_extractor")
        scheduler(**beta).save_pretrained(part / "scheduler")
        model.save_pretrained(part / "unet")
        torch.save(tensors, part / "unet_state_dict.pth")
        index = {
            "_class_name": kind,
            "feature_extractor": ["transformers", "CLIPImageProcessor"],
            "image_encoder": ["transformers", "CLIPVisionModelWithProjection"],
            "safety_checker": [None, None],
            "scheduler": ["diffusers", scheduler.__name__],
            "unet": ["diffusers", "UNet2DConditionModel"],
            "vae": ["diffusers", "AutoencoderKL"],
        }
        (part / "model_index.json").write_text(json.dumps(index))
    return folder


def era3d(folder: Path, seed: int = 0, estimates: bool = True) -> Path:
    """Era3D's components, saved as the published weights are; `estimates`: the denoising model estimates a camera."""
    from diffusers import DDPMScheduler
    from diffusers.pipelines.stable_diffusion import StableUnCLIPImageNormalizer

    from meshopt.generate.pipelines.era3d import build

    torch.manual_seed(seed)
    said = {"regress_elevation": estimates, "regress_focal_length": estimates, "num_regress_blocks": 3}
    plain = unet(8, class_embed_type="projection", projection_class_embeddings_input_dim=2 * WIDTH)
    build({**plain.config, **said}).save_pretrained(folder / "unet")
    more = {"cd_attention_mid": False, "mvcd_attention": True, "selfattn_block": "self_rowwise", **said}
    as_published(folder / "unet" / "config.json", **more)
    vae(4).save_pretrained(folder / "vae")
    text_encoder().save_pretrained(folder / "text_encoder")
    tokenizer(folder / "w").save_pretrained(folder / "tokenizer")
    image_encoder().save_pretrained(folder / "image_encoder")
    image_processor().save_pretrained(folder / "feature_extractor")
    normalizer = StableUnCLIPImageNormalizer(WIDTH)
    torch.nn.init.normal_(normalizer.mean)
    torch.nn.init.uniform_(normalizer.std, 0.5, 2)
    normalizer.save_pretrained(folder / "image_normalizer")
    DDPMScheduler(beta_schedule="squaredcos_cap_v2").save_pretrained(folder / "image_noising_scheduler")
    scheduler = DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, clip_sample=False, prediction_type="v_prediction", steps_offset=1,
        set_alpha_to_one=False,
    )  # fmt: skip
    scheduler.save_pretrained(folder / "scheduler")
    index = {
        "_class_name": "StableUnCLIPImg2ImgPipeline",
        "feature_extractor": ["transformers", "CLIPImageProcessor"],
        "image_encoder": ["transformers", "CLIPVisionModelWithProjection"],
        "image_noising_scheduler": ["diffusers", "DDPMScheduler"],
        "image_normalizer": ["stable_diffusion", "StableUnCLIPImageNormalizer"],
        "num_views": 6,
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["mvdiffusion.models.unet_mv2d_condition", "UNetMV2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def mvdream(folder: Path, pictures: bool = False, seed: int = 0) -> Path:
    """MVDream's components, saved as the published weights are; with `pictures` ImageDream's."""
    from safetensors.torch import save_file

    torch.manual_seed(seed)
    twin = beside("mvdream_twin.py").Twin(WIDTH if pictures else 0, seed)
    twin(*twin_input(pictures))
    (folder / "unet").mkdir(parents=True, exist_ok=True)
    (folder / "unet" / "config.json").write_text(json.dumps({"_class_name": "MultiViewUNetModel"} | twin.config))
    save_file(twin.tensors, folder / "unet" / "diffusion_pytorch_model.safetensors")
    vae(4).save_pretrained(folder / "vae")
    text_encoder().save_pretrained(folder / "text_encoder")
    tokenizer(folder / "w").save_pretrained(folder / "tokenizer")
    DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, clip_sample=False,
        set_alpha_to_one=False,
    ).save_pretrained(folder / "scheduler")  # fmt: skip
    index: dict[str, Any] = {"_class_name": "MVDreamPipeline", "requires_safety_checker": False}
    index |= {"feature_extractor": [None, None], "image_encoder": [None, None]}
    index |= {"scheduler": ["diffusers", "DDIMScheduler"], "text_encoder": ["transformers", "CLIPTextModel"]}
    index |= {"tokenizer": ["transformers", "CLIPTokenizer"], "unet": ["mv_unet", "MultiViewUNetModel"]}
    index |= {"vae": ["diffusers", "AutoencoderKL"]}
    if pictures:
        CLIPVisionModel(image_encoder().config).save_pretrained(folder / "image_encoder")
        image_processor().save_pretrained(folder / "feature_extractor")
        index |= {"feature_extractor": ["transformers", "CLIPImageProcessor"]}
        index |= {"image_encoder": ["transformers", "CLIPVisionModel"]}
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def twin_input(pictures: bool, dtype: torch.dtype = torch.float32) -> tuple[Any, ...]:
    """What MVDream's model is called with: two entries of 4 frames, or of 5 with pictures."""
    generator, frames = torch.Generator().manual_seed(1), 5 if pictures else 4

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(2 * frames, *shape, generator=generator, dtype=torch.float64).to(dtype)

    picture = drawn(6, WIDTH) if pictures else None
    return drawn(4, 8, 8), 371, drawn(7, WIDTH), drawn(16), frames, picture


def upscaler(folder: Path, seed: int = 0) -> Path:
    """A StableDiffusionUpscalePipeline, four times."""
    from diffusers import DDPMScheduler, StableDiffusionUpscalePipeline

    torch.manual_seed(seed)
    pipeline = StableDiffusionUpscalePipeline(
        vae=vae(3), text_encoder=text_encoder(), tokenizer=tokenizer(folder / "w"), low_res_scheduler=DDPMScheduler(),
        unet=unet(7, num_class_embeds=1000), scheduler=DDIMScheduler(prediction_type="v_prediction"),
        max_noise_level=350,
    )  # fmt: skip
    pipeline.save_pretrained(folder)
    return folder


def zero123plus(folder: Path, seed: int = 0) -> Path:
    """Zero123++'s components and the ControlNet, with a pipeline of this project's own that is called as theirs."""
    from diffusers import ControlNetModel

    module = beside("zero123plus_pipeline.py")
    torch.manual_seed(seed)
    scheduler = EulerAncestralDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    pipeline = module.Zero123PlusPipeline(
        vae=vae(4), text_encoder=text_encoder(), tokenizer=tokenizer(folder / "w"), unet=unet(), scheduler=scheduler,
        vision_encoder=image_encoder(), feature_extractor_clip=image_processor(),
        feature_extractor_vae=image_processor(64), ramping_coefficients=[i / 77 for i in range(77)],
    )  # fmt: skip
    pipeline.save_pretrained(folder)
    ControlNetModel.from_unet(unet()).save_pretrained(folder / "controlnet")
    shutil.copy(str(module.__file__), folder / "pipeline.py")
    return folder
