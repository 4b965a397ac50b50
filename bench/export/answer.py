"""Answer to a question about CLEVR's attributes, without mdetr: pip install onnxruntime numpy tokenizers pillow

    mdetr export --out exported --single-file
    python answer.py exported image.png "what color is the sphere?" [model_fp16.onnx]
"""
import json, sys
import numpy as np, onnxruntime
from PIL import Image
from tokenizers import Tokenizer

folder, path, question, file = (*sys.argv[1:], "model.onnx")[:4]
settings = json.load(open(f"{folder}/preprocessor_config.json"))
session = onnxruntime.InferenceSession(f"{folder}/{file}", providers=["CPUExecutionProvider"])

image = Image.open(path).convert("RGB")
short, long = settings["size"]["shortest_edge"], settings["size"]["longest_edge"]
scale = min(short / min(image.size), long / max(image.size))
size = [round(side * scale) for side in image.size]
pixels = np.asarray(image.resize(size, Image.BILINEAR), dtype=np.float32) / 255
pixels = (pixels - np.float32(settings["image_mean"])) / np.float32(settings["image_std"])
tokens = Tokenizer.from_file(f"{folder}/tokenizer.json").encode(question)
kinds, yes, attributes, numbers = session.run([f"pred_answer_{head}" for head in ("type", "binary", "attr", "reg")], {
    "pixel_values": pixels.transpose(2, 0, 1)[None],
    "pixel_mask": np.ones((1, size[1], size[0]), dtype=np.int64),
    "input_ids": np.array([tokens.ids], dtype=np.int64),
    "attention_mask": np.array([tokens.attention_mask], dtype=np.int64),
})
VALUES = "small large gray red blue green brown purple cyan yellow cube sphere cylinder rubber metal".split()
answers = ["yes" if yes[0] > 0 else "no", VALUES[attributes[0].argmax()], str(numbers[0].argmax())]
print(json.dumps({"answer": answers[kinds[0].argmax()]}))
