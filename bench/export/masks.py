"""Masks of what a caption mentions, without mdetr: pip install onnxruntime numpy tokenizers pillow

    mdetr export --out exported --single-file
    python masks.py exported image.png "a large green sphere" [model_fp16.onnx]
"""
import json, sys
import numpy as np, onnxruntime
from PIL import Image
from tokenizers import Tokenizer

folder, path, caption, file = (*sys.argv[1:], "model.onnx")[:4]
settings = json.load(open(f"{folder}/preprocessor_config.json"))
session = onnxruntime.InferenceSession(f"{folder}/{file}", providers=["CPUExecutionProvider"])

image = Image.open(path).convert("RGB")
short, long = settings["size"]["shortest_edge"], settings["size"]["longest_edge"]
scale = min(short / min(image.size), long / max(image.size))
size = [round(side * scale) for side in image.size]
pixels = np.asarray(image.resize(size, Image.BILINEAR), dtype=np.float32) / 255
pixels = (pixels - np.float32(settings["image_mean"])) / np.float32(settings["image_std"])
tokens = Tokenizer.from_file(f"{folder}/tokenizer.json").encode(caption)
logits, masks = session.run(["pred_logits", "pred_masks"], {
    "pixel_values": pixels.transpose(2, 0, 1)[None],
    "pixel_mask": np.ones((1, size[1], size[0]), dtype=np.int64),
    "input_ids": np.array([tokens.ids], dtype=np.int64),
    "attention_mask": np.array([tokens.attention_mask], dtype=np.int64),
})
probabilities = np.exp(logits[0] - logits[0].max(-1, keepdims=True))
probabilities /= probabilities.sum(-1, keepdims=True)
for query in np.flatnonzero(1 - probabilities[:, -1] > 0.5):
    area = float((masks[0, query] > 0).mean())
    print(json.dumps({"score": 1 - float(probabilities[query, -1]), "area": area}))
