"""Masks of what a text mentions, and the answer if it is a question, without mdetr: pip install onnxruntime numpy tokenizers pillow

    mdetr export --out exported --single-file
    python masks-and-answer.py exported image.png "what color is the sphere?" [model_fp16.onnx]
"""
import json, sys
import numpy as np, onnxruntime
from PIL import Image
from tokenizers import Tokenizer

ATTRIBUTES = "small large gray red blue green brown purple cyan yellow cube sphere cylinder rubber metal".split()
folder, path, text, file = (*sys.argv[1:], "model.onnx")[:4]
settings = json.load(open(f"{folder}/preprocessor_config.json"))
image = Image.open(path).convert("RGB")
short, long = settings["size"]["shortest_edge"], settings["size"]["longest_edge"]
scale = min(short / min(image.size), long / max(image.size))
size = [round(side * scale) for side in image.size]
pixels = np.asarray(image.resize(size, Image.BILINEAR), dtype=np.float32) / 255
pixels = (pixels - np.float32(settings["image_mean"])) / np.float32(settings["image_std"])
tokens = Tokenizer.from_file(f"{folder}/tokenizer.json").encode(text)
session = onnxruntime.InferenceSession(f"{folder}/{file}", providers=["CPUExecutionProvider"])
found = dict(zip([output.name for output in session.get_outputs()], session.run(None, {
    "pixel_values": pixels.transpose(2, 0, 1)[None],
    "pixel_mask": np.ones((1, size[1], size[0]), dtype=np.int64),
    "input_ids": np.array([tokens.ids], dtype=np.int64),
    "attention_mask": np.array([tokens.attention_mask], dtype=np.int64),
})))
answers = [
    "yes" if found["pred_answer_binary"][0] > 0 else "no",
    ATTRIBUTES[found["pred_answer_attr"][0].argmax()],
    str(found["pred_answer_reg"][0].argmax()),
]
logits = found["pred_logits"][0]
probabilities = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
scores, areas = 1 - probabilities[:, -1], (found["pred_masks"][0] > 0).mean((1, 2))
objects = [{"score": float(scores[q]), "area": float(areas[q])} for q in np.flatnonzero(scores > 0.5)]
print(json.dumps({"answer": answers[found["pred_answer_type"][0].argmax()], "objects": objects}))
