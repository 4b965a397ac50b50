"""Compares `mdetr data prepare` with the official preparation scripts on generated data sets.

    python bench/prepare-official.py CLONE_OF_THE_OFFICIAL_REPOSITORY

Requires numpy and `npm run build`. The other imports of the scripts (torch, torchvision, xmltodict, tqdm, spaCy) are
replaced by the stubs below, so spans of referring expressions are not compared; everything else is.
"""
import json
import os
import pickle
import random
import re
import runpy
import subprocess
import sys
import tempfile
import types
from pathlib import Path
from xml.etree.ElementTree import fromstring

import numpy as np

OFFICIAL = Path(sys.argv[1]) / "scripts"
MDETR = Path(__file__).parent.parent / "dist/cli/main.js"
WORDS = "a the man wömen dog red 🎩 hat on with of ball".split()
rng = random.Random(5)


def stub(name, **members):
    module = types.ModuleType(name)
    module.__dict__.update(members)
    sys.modules[name] = module


def parse_xml(text):
    root = fromstring(text)
    size = {side: root.findtext(f"size/{side}") for side in ("height", "width")}
    return {"annotation": {"filename": root.findtext("filename"), "size": size}}


stub("tqdm", tqdm=lambda items: items)
stub("xmltodict", parse=parse_xml)
stub("torch", as_tensor=lambda values, dtype: np.asarray(values, dtype), float=np.float32)
stub("torchvision")
stub("torchvision.ops")
stub("torchvision.ops.boxes", box_area=lambda b: (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1]))
entire_text = lambda text: (text, " ", [(0, len(text))], [(0, len(text))])
stub("utils")
stub("utils.text", STOP_WORDS=set(), nlp=None, get_root_and_nouns=entire_text)
stub("utils.spans", consolidate_spans=lambda spans, caption: spans)


def words(count):
    return " ".join(rng.choice(WORDS) for _ in range(count))


def make_flickr(folder):
    for part in ("Sentences", "Annotations"):
        (folder / part).mkdir(parents=True)
    image_id = 0
    for split in ("train", "val", "test"):
        image_ids = []
        for _ in range(60):
            image_id += 1
            image_ids.append(image_id)
            xml = f"<annotation><filename>{image_id}.jpg</filename><size><width>500</width><height>333</height></size>"
            for entity in range(1, 7):
                for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
                    x, y = rng.choice([(10, 20), (11, 20), (200, 100)])
                    w, h = rng.choice([(100, 100), (95, 100), (99, 99), (40, 30)])
                    corners = f"<xmin>{x}</xmin><ymin>{y}</ymin><xmax>{x + w}</xmax><ymax>{y + h}</ymax>"
                    xml += f"<object><name>{entity}</name><bndbox>{corners}</bndbox></object>"
                if rng.random() < 0.2:
                    xml += f"<object><name>{entity}</name><scene>1</scene><nobndbox>0</nobndbox></object>"
            (folder / "Annotations" / f"{image_id}.xml").write_text(xml + "</annotation>")
            phrase = lambda: f"{words(rng.randint(0, 2))} [/EN#{rng.randint(0, 7)}/people {words(rng.randint(1, 3))}]"
            lines = [" ".join(phrase() for _ in range(rng.randint(1, 5))) + " ." for _ in range(5)]
            (folder / "Sentences" / f"{image_id}.txt").write_text("\n".join(lines) + "\n")
        (folder / f"{split}.txt").write_text("\n".join(map(str, image_ids)) + "\n")


def make_phrasecut(folder):
    folder.mkdir(parents=True)
    size = lambda: rng.randint(50, 500)
    images = [{"image_id": i, "width": size(), "height": size(), "split": "val"} for i in range(200)]
    (folder / "image_data_split.json").write_text(json.dumps(images))
    polygon = lambda: [[rng.random() * 9, rng.randint(0, 9)] for _ in range(rng.randint(3, 6))]
    for split in ("miniv", "train", "val", "test"):
        tasks = []
        for task in range(400):
            count = rng.randint(1, 3)
            tasks.append({
                "task_id": f"t{task}",
                "image_id": rng.randrange(200),
                "phrase": words(2),
                "instance_boxes": [[rng.random() * 50, 2, 3.5, 4] for _ in range(count)],
                "Polygons": [[polygon() for _ in range(rng.randint(1, 3))] for _ in range(count)],
            })
        (folder / f"refer_{split}.json").write_text(json.dumps(tasks))


def make_lvis(folder, image_count=9000, category_count=45):
    folder.mkdir(parents=True)
    names = ["bow_(decorative_ribbons)", "alarm_clock", "x__y(z)"]
    categories = [{"id": i + 1, "name": rng.choice(names) + str(i), "image_count": 0} for i in range(category_count)]
    images, annotations = [], []
    for i in range(image_count):
        image = rng.randrange(10**6) * 10000 + i
        some = lambda max_count: rng.sample(range(1, category_count + 1), rng.randint(0, max_count))
        images.append({
            "id": image, "width": 100, "height": 50, "coco_url": f"http://example.org/train2017/{image}.jpg",
            "neg_category_ids": some(4), "not_exhaustive_category_ids": some(3),
        })
        for category in {min(category_count, int(rng.paretovariate(0.4))) for _ in range(rng.randint(0, 6))}:
            categories[category - 1]["image_count"] += 1
            for _ in range(rng.randint(1, 3)):
                annotations.append({
                    "id": len(annotations) + 1, "image_id": image, "category_id": category,
                    "bbox": [rng.random() * 50, 1.5, 3.25, 4], "area": rng.random() * 9,
                })
    rng.shuffle(annotations)
    source = json.dumps({"info": {}, "annotations": annotations, "images": images, "categories": categories})
    for split in ("train", "val"):
        (folder / f"lvis_v1_{split}.json").write_text(source)


def make_refer(folder):
    images = [{"id": i, "file_name": f"COCO_train2014_{i:012d}.jpg", "width": 64, "height": 48} for i in range(100)]
    annotations = [
        {"id": i, "image_id": i % 100, "category_id": 1, "bbox": [rng.random(), 2, 3, 4], "area": i / 7, "iscrowd": i % 9 == 0}
        for i in range(1000, 1400)
    ]
    for annotation in annotations:
        annotation["iscrowd"] = int(annotation["iscrowd"])
    instances = json.dumps({"info": {}, "licenses": [], "images": images, "annotations": annotations, "categories": []})
    (folder / "annotations").mkdir(parents=True)
    (folder / "annotations/instances_train2014.json").write_text(instances)
    for dataset, division in (("refcoco", "unc"), ("refcoco+", "unc"), ("refcocog", "umd")):
        references = [
            {
                "ref_id": i, "ann_id": a["id"], "image_id": a["image_id"], "category_id": 1, "sent_ids": [],
                "file_name": f"COCO_train2014_{a['image_id']:012d}_{i}.jpg", "split": rng.choice(["train", "val", "test"]),
                "sentences": [{"sent": words(3), "sent_id": 0, "raw": "", "tokens": []} for _ in range(rng.randint(1, 3))],
            }
            for i, a in enumerate(annotations)
        ]
        (folder / dataset).mkdir()
        with open(folder / dataset / f"refs({division}).p", "wb") as file:
            pickle.dump(references, file, protocol=rng.choice([0, 2]))


def official(script, *arguments):
    sys.argv = [script, *map(str, arguments)]
    with open(os.devnull, "w") as nowhere:
        sys.stdout, before = nowhere, sys.stdout
        try:
            runpy.run_path(str(OFFICIAL / script), run_name="__main__")
        finally:
            sys.stdout = before


def ours(*arguments):
    subprocess.run(["node", str(MDETR), "data", "prepare", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def rows(path, without):
    data = json.loads(path.read_text())
    boxes = {}
    for annotation in data["annotations"]:
        content = {key: value for key, value in annotation.items() if key not in {"id", "image_id", *without}}
        if "tokens_positive" in content:
            content["tokens_positive"] = sorted(map(tuple, content["tokens_positive"]))
        boxes.setdefault(annotation["image_id"], []).append(content)
    found = []
    for image in data["images"]:
        content = {key: value for key, value in image.items() if key not in {"id", *without}}
        # The script for Flickr30k writes sizes as strings.
        content.update(height=float(image["height"]), width=float(image["width"]))
        found.append(json.dumps([content, boxes.get(image["id"], [])], sort_keys=True, default=float))
    return [re.sub(r"(\d)\.0(?=[,}\]])", r"\1", row) for row in found]


def compare(theirs_folder, ours_folder, without=()):
    for theirs in sorted(theirs_folder.glob("*.json")):
        a, b = rows(theirs, without), rows(ours_folder / theirs.name, without)
        verdict = "equal" if a == b else "equal except for the order" if sorted(a) == sorted(b) else "DIFFERENT"
        print(f"{theirs.name}: {len(a)} rows, {verdict}")


with tempfile.TemporaryDirectory() as temporary:
    root = Path(temporary)
    make_flickr(root / "flickr")
    for kind in ((), ("--merge_ground_truth",)):
        official("pre-training/flickr_combined.py", "--flickr_path", root / "flickr", "--out_path", root / "flickr-official", *kind)
    ours("flickr30k", "--from", root / "flickr", "--out", root / "flickr-ours")
    compare(root / "flickr-official", root / "flickr-ours")

    make_phrasecut(root / "phrasecut")
    official("fine-tuning/phrasecut_coco_format.py", "--data_path", root / "phrasecut", "--img_path", "", "--out_path", root / "phrasecut-official")
    ours("phrasecut", "--from", root / "phrasecut", "--out", root / "phrasecut-ours")
    compare(root / "phrasecut-official", root / "phrasecut-ours")

    make_lvis(root / "lvis")
    for fraction in (1, 0.1, 0.01):
        official("fine-tuning/lvis_coco_format.py", "--data_path", root / "lvis", "--subset_fract", fraction, "--out_path", root / "lvis-official")
    ours("lvis", "--from", root / "lvis", "--out", root / "lvis-ours", "--split", "train,val")
    compare(root / "lvis-official", root / "lvis-ours")

    make_refer(root / "refer")
    official("fine-tuning/refexp_coco_format.py", "--data_path", root / "refer", "--coco_path", root / "refer", "--out_path", root / "refer-official")
    for dataset in ("refcoco", "refcoco+", "refcocog"):
        ours(dataset, "--from", root / "refer", "--out", root / "refer-ours", "--split", "train,val")
    compare(root / "refer-official", root / "refer-ours", without=("tokens_positive", "tokens_negative"))
