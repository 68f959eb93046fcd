"""Encoders that have a short name.

`ENCODERS`   their cards, read top to bottom

Frames are squashed to the input size, so that nothing at the borders is lost: scores, paddles and
grippers live there.  The encoders for robots (R3M, VIP, VC-1) keep the centre crop they were trained
with.  Either can be changed by `resize` when loading.
"""

from typing import Any

from rlpriors.encoders.spec import EncoderSpec

__all__ = ["ENCODERS"]

PLAIN: dict[str, Any] = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}  # only divided by 255
HALF: dict[str, Any] = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
CLIP: dict[str, Any] = {
    "mean": (0.48145466, 0.4578275, 0.40821073),
    "std": (0.26862954, 0.26130258, 0.27577711),
}
ROBOT: dict[str, Any] = {"resize": "shortest_crop", "crop_pct": 0.875}  # resize to 256, cut 224 out
NONCOMMERCIAL: dict[str, Any] = {"licence": "cc-by-nc-4.0", "commercial": False}

_SPECS = (
    # Networks of this library, to be trained by the user.
    EncoderSpec(
        name="nature-cnn",
        source="network",
        model_id="nature-cnn",
        licence="mit",
        input_size=(84, 84),
        interpolation="bilinear",
        **PLAIN,
        notes="Mnih et al., Nature 518 (2015). No published weights.",
    ),
    EncoderSpec(
        name="impala-cnn",
        source="network",
        model_id="impala-cnn",
        licence="mit",
        input_size=(64, 64),
        interpolation="bilinear",
        **PLAIN,
        notes="Espeholt et al., arXiv 1802.01561. No published weights.",
    ),
    EncoderSpec(
        name="atari-cnn",
        source="network",
        model_id="atari-cnn",
        licence="mit",
        input_size=(210, 160),  # a whole Atari frame, which passes as it is; crops are enlarged to it
        channels=1,
        interpolation="bilinear",
        mean=(0.0,),
        std=(1.0,),
        notes="Anand et al., arXiv 1906.08226: the encoder of AtariARI. Sees grey. No published weights.",
    ),
    # Supervised on ImageNet.
    EncoderSpec(
        name="resnet18",
        source="timm",
        model_id="resnet18.a1_in1k",
        licence="apache-2.0",
        crop_pct=0.95,
        notes="He et al., arXiv 1512.03385; recipe arXiv 2110.00476.",
    ),
    EncoderSpec(
        name="resnet50",
        source="timm",
        model_id="resnet50.a1_in1k",
        licence="apache-2.0",
        crop_pct=0.95,
        notes="He et al., arXiv 1512.03385; recipe arXiv 2110.00476.",
    ),
    # Self-supervised on images.
    EncoderSpec(
        name="dino-vits16",
        source="timm",
        model_id="vit_small_patch16_224.dino",
        licence="apache-2.0",
        crop_pct=0.9,
        notes="Caron et al., arXiv 2104.14294.",
    ),
    EncoderSpec(
        name="dino-vits8",
        source="timm",
        model_id="vit_small_patch8_224.dino",
        licence="apache-2.0",
        crop_pct=0.9,
        notes="Caron et al., arXiv 2104.14294. Small patches: 784 tokens for each frame.",
    ),
    EncoderSpec(
        name="dino-vitb16",
        source="timm",
        model_id="vit_base_patch16_224.dino",
        licence="apache-2.0",
        crop_pct=0.9,
        notes="Caron et al., arXiv 2104.14294.",
    ),
    EncoderSpec(
        name="dinov2-small",
        source="timm",
        model_id="vit_small_patch14_dinov2.lvd142m",
        licence="apache-2.0",
        notes="Oquab et al., arXiv 2304.07193. Trained up to 518 pixels.",
    ),
    EncoderSpec(
        name="dinov2-base",
        source="timm",
        model_id="vit_base_patch14_dinov2.lvd142m",
        licence="apache-2.0",
        notes="Oquab et al., arXiv 2304.07193. Trained up to 518 pixels.",
    ),
    EncoderSpec(
        name="dinov2-small-reg",
        source="timm",
        model_id="vit_small_patch14_reg4_dinov2.lvd142m",
        licence="apache-2.0",
        notes="Darcet et al., arXiv 2309.16588: registers give cleaner maps.",
    ),
    EncoderSpec(
        name="dinov3-small",
        source="timm",
        model_id="vit_small_patch16_dinov3.lvd1689m",
        licence="dinov3-license",
        gated=True,
        notes="Simeoni et al., arXiv 2508.10104.",
    ),
    EncoderSpec(
        name="dinov3-convnext-tiny",
        source="timm",
        model_id="convnext_tiny.dinov3_lvd1689m",
        licence="dinov3-license",
        gated=True,
        notes="Simeoni et al., arXiv 2508.10104, distilled into a convolutional network.",
    ),
    EncoderSpec(
        name="mae-b16",
        source="timm",
        model_id="vit_base_patch16_224.mae",
        **NONCOMMERCIAL,
        crop_pct=0.9,
        notes="He et al., arXiv 2111.06377.",
    ),
    EncoderSpec(
        name="ijepa-h14",
        source="timm",
        model_id="vit_huge_patch14_gap_224.in1k_ijepa",
        **NONCOMMERCIAL,
        crop_pct=0.9,
        notes="Assran et al., arXiv 2301.08243. The vector is the mean of the patches.",
    ),
    EncoderSpec(
        name="swav-rn50",
        source="published",
        model_id="https://dl.fbaipublicfiles.com/deepcluster/swav_800ep_pretrain.pth.tar",
        **NONCOMMERCIAL,
        crop_pct=0.875,
        interpolation="bilinear",
        layout="swav",
        options={"network": "resnet50"},
        notes="Caron et al., arXiv 2006.09882.",
    ),
    EncoderSpec(
        name="mocov3-vits",
        source="published",
        model_id="https://dl.fbaipublicfiles.com/moco-v3/vit-s-300ep/vit-s-300ep.pth.tar",
        **NONCOMMERCIAL,
        crop_pct=0.875,
        interpolation="bilinear",
        layout="mocov3",
        options={"network": "vit_small_patch16_224", "num_heads": 12},
        notes="Chen et al., arXiv 2104.02057. Its ViT-S has 12 heads where others have 6.",
    ),
    # Images and words.
    EncoderSpec(
        name="clip-b32",
        source="timm",
        model_id="vit_base_patch32_clip_quickgelu_224.openai",
        licence="mit",
        head=True,
        crop_pct=0.9,
        **CLIP,
        # Its weights were trained with this activation; timm's other variant runs them with another.
        notes="Radford et al., arXiv 2103.00020; the network of PEARL.",
    ),
    EncoderSpec(
        name="clip-b16",
        source="timm",
        model_id="vit_base_patch16_clip_quickgelu_224.openai",
        licence="mit",
        head=True,
        crop_pct=0.9,
        **CLIP,
        notes="Radford et al., arXiv 2103.00020.",
    ),
    EncoderSpec(
        name="clip-rn50",
        source="timm",
        model_id="resnet50_clip.openai",
        licence="mit",
        head=True,
        crop_pct=0.9,
        **CLIP,
        notes="Radford et al., arXiv 2103.00020. Its attention pool fixes the input size.",
    ),
    EncoderSpec(
        name="siglip2-b16",
        source="timm",
        model_id="vit_base_patch16_siglip_224.v2_webli",
        licence="apache-2.0",
        crop_pct=0.9,
        **HALF,
        notes="Tschannen et al., arXiv 2502.14786.",
    ),
    # Robots and videos.
    EncoderSpec(
        name="r3m-18",
        source="published",
        model_id="https://pytorch.s3.amazonaws.com/models/rl/r3m/r3m_18.pt",
        licence="mit",
        interpolation="bilinear",
        layout="r3m",
        options={"network": "resnet18"},
        **ROBOT,
        notes="Nair et al., arXiv 2203.12601.",
    ),
    EncoderSpec(
        name="r3m-34",
        source="published",
        model_id="https://pytorch.s3.amazonaws.com/models/rl/r3m/r3m_34.pt",
        licence="mit",
        interpolation="bilinear",
        layout="r3m",
        options={"network": "resnet34"},
        **ROBOT,
        notes="Nair et al., arXiv 2203.12601.",
    ),
    EncoderSpec(
        name="r3m-50",
        source="published",
        model_id="https://pytorch.s3.amazonaws.com/models/rl/r3m/r3m_50.pt",
        licence="mit",
        interpolation="bilinear",
        layout="r3m",
        options={"network": "resnet50"},
        **ROBOT,
        notes="Nair et al., arXiv 2203.12601.",
    ),
    EncoderSpec(
        name="vip-50",
        source="published",
        model_id="https://pytorch.s3.amazonaws.com/models/rl/vip/model.pt",
        **NONCOMMERCIAL,
        interpolation="bilinear",
        layout="vip",
        options={"network": "resnet50"},
        **ROBOT,
        notes="Ma et al., arXiv 2210.00030. Its vector has 1024 numbers, from a linear layer.",
    ),
    EncoderSpec(
        name="vc1-b",
        source="published",
        model_id="https://dl.fbaipublicfiles.com/eai-vc/vc1_vitb.pth",
        **NONCOMMERCIAL,
        layout="vc1",
        options={"network": "vit_base_patch16_224"},
        **ROBOT,
        notes="Majumdar et al., arXiv 2303.18240.",
    ),
    EncoderSpec(
        name="vc1-l",
        source="published",
        model_id="https://dl.fbaipublicfiles.com/eai-vc/vc1_vitl.pth",
        **NONCOMMERCIAL,
        layout="vc1",
        options={"network": "vit_large_patch16_224"},
        **ROBOT,
        notes="Majumdar et al., arXiv 2303.18240.",
    ),
    EncoderSpec(
        name="vjepa2-l",
        source="huggingface",
        model_id="facebook/vjepa2-vitl-fpc64-256",
        licence="mit",
        input_size=(256, 256),
        crop_pct=0.875,
        interpolation="bilinear",
        frames=16,
        notes="Assran et al., arXiv 2506.09985. Sees clips; tokens and maps run through time first.",
    ),
    # Several teachers in one network.
    EncoderSpec(
        name="theia-tiny",
        source="published",
        model_id="hf://theaiinstitute/theia-tiny-patch16-224-cdiv/model.safetensors",
        licence="the-ai-institute-license",
        commercial=False,
        layout="theia",
        options={"network": "deit_tiny_patch16_224"},
        notes="Shang et al., arXiv 2407.20179.",
    ),
    EncoderSpec(
        name="theia-small",
        source="published",
        model_id="hf://theaiinstitute/theia-small-patch16-224-cdiv/model.safetensors",
        licence="the-ai-institute-license",
        commercial=False,
        layout="theia",
        options={"network": "deit_small_patch16_224"},
        notes="Shang et al., arXiv 2407.20179.",
    ),
    EncoderSpec(
        name="theia-base",
        source="published",
        model_id="hf://theaiinstitute/theia-base-patch16-224-cdiv/model.safetensors",
        licence="the-ai-institute-license",
        commercial=False,
        layout="theia",
        options={"network": "deit_base_patch16_224"},
        notes="Shang et al., arXiv 2407.20179.",
    ),
    EncoderSpec(
        name="radio-b16",
        source="timm",
        model_id="vit_base_patch16_radio_v3.c_radio",
        licence="nvidia-open-model-license",
        **CLIP,
        notes="Ranzinger et al., arXiv 2312.06709 (C-RADIO v3). Trained up to 512 pixels.",
    ),
)

ENCODERS: dict[str, EncoderSpec] = {spec.name: spec for spec in _SPECS}
