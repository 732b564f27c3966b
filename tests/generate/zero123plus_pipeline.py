"""Stands for the pipeline code of Zero123++'s authors: its components, its arguments and its results, little between.

The picture reaches the denoising model through CLIP's embedding alone. As with theirs, some of the noise is from
torch's global numbers, and the ControlNet has no part before it was added.
"""

import torch
from diffusers import DiffusionPipeline, ImagePipelineOutput
from diffusers.image_processor import VaeImageProcessor
from diffusers.utils.torch_utils import randn_tensor


class Zero123PlusPipeline(DiffusionPipeline):
    """Draws a sheet of views; with a ControlNet, what belongs to the `depth_image`."""

    def __init__(self, vae, text_encoder, tokenizer, unet, scheduler, vision_encoder, feature_extractor_clip,
                 feature_extractor_vae, ramping_coefficients=None, safety_checker=None):  # fmt: skip
        super().__init__()
        self.register_modules(
            vae=vae, text_encoder=text_encoder, tokenizer=tokenizer, unet=unet, scheduler=scheduler,
            vision_encoder=vision_encoder, feature_extractor_clip=feature_extractor_clip,
            feature_extractor_vae=feature_extractor_vae, safety_checker=None,
        )  # fmt: skip
        self.register_to_config(ramping_coefficients=ramping_coefficients)
        self.image_processor = VaeImageProcessor(vae_scale_factor=8)
        self.control, self.scale = None, 0.0

    def add_controlnet(self, controlnet=None, conditioning_scale=1.0):
        """From now on, `depth_image` has a part."""
        self.control, self.scale = controlnet.to(self.unet.device), conditioning_scale

    @torch.no_grad()
    def __call__(self, image, prompt="", *, guidance_scale, depth_image=None, width, height, num_inference_steps,
                 generator=None):  # fmt: skip
        if image.mode != "RGB" or (depth_image is None) != (self.control is None):
            raise ValueError("called in another way than the published examples do")
        if self.scheduler.config.timestep_spacing != "trailing":
            raise ValueError("the scheduler is not that of the published examples")
        pixels = self.feature_extractor_clip(images=image, return_tensors="pt").pixel_values.to(self.vae.dtype)
        embedding = self.vision_encoder(pixels.to(self.vae.device)).image_embeds[:, None]
        words = self.tokenizer(prompt, padding="max_length", return_tensors="pt").input_ids.to(self.vae.device)
        text = self.text_encoder(words)[0]
        ramp = embedding.new_tensor(self.config.ramping_coefficients)[:, None]
        hidden = torch.cat([text, text + embedding * ramp])
        self.scheduler.set_timesteps(num_inference_steps, device=self.vae.device)
        shape = (1, 4, height // 8, width // 8)
        latents = randn_tensor(shape, generator=generator, device=self.vae.device, dtype=self.vae.dtype)
        latents = latents * self.scheduler.init_noise_sigma + 0.01 * torch.randn_like(latents)
        condition = None if depth_image is None else self.image_processor.preprocess(depth_image).to(latents)
        with self.progress_bar(total=num_inference_steps) as bar:
            for t in self.scheduler.timesteps:
                both = self.scheduler.scale_model_input(torch.cat([latents] * 2), t)
                more = {}
                if condition is not None:
                    down, middle = self.control(both, t, encoder_hidden_states=hidden, controlnet_cond=condition,
                                                conditioning_scale=self.scale, return_dict=False)  # fmt: skip
                    more = {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}
                without, given = self.unet(both, t, encoder_hidden_states=hidden, **more).sample.chunk(2)
                noise = without + guidance_scale * (given - without)
                latents = self.scheduler.step(noise, t, latents, generator=generator).prev_sample
                bar.update()
        decoded = self.vae.decode(latents / self.vae.config.scaling_factor, return_dict=False)[0]
        return ImagePipelineOutput(images=self.image_processor.postprocess(decoded))
