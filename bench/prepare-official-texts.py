"""Compares `mdetr data prepare` with the official scripts for GQA, Visual Genome, CLEVR and CLEVR-Ref+.

    python bench/prepare-official-texts.py CLONE_OF_THE_OFFICIAL_REPOSITORY [--spacy MODEL]
        [--clevr FOLDER] [--clevr-ref FOLDER --ref-templates FOLDER]

GQA is compared on random questions, Visual Genome on random regions, which requires spacy with the given model (a name or
a folder), torch and torchvision. The folder of CLEVR contains questions/CLEVR_val_questions.json,
scenes/CLEVR_val_scenes.json and boxes/, that of CLEVR-Ref+ refexps/clevr_ref+_val_refexps.json and scenes/; `mdetr scenes`
and the generators of both datasets write such files. Requires `npm run build`.
"""
import argparse
import importlib.util
import json
import os
import pickle
import random
import re
import subprocess
import sys
import tempfile
import types
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("official", type=Path)
parser.add_argument("--spacy")
parser.add_argument("--clevr", type=Path)
parser.add_argument("--clevr-ref", type=Path)
parser.add_argument("--ref-templates", type=Path)
args = parser.parse_args()
SCRIPTS = (args.official / "scripts").resolve()
MAIN = Path(__file__).resolve().parent.parent / "dist/cli/main.js"
sys.path.insert(0, str(SCRIPTS))
rng = random.Random(3)


def stub(name, **members):
    module = types.ModuleType(name)
    module.__dict__.update(members)
    sys.modules[name] = module
    return module


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def prepare(name, source, out, *options):
    command = ["node", MAIN, "data", "prepare", name, "--from", source, "--out", out, *options]
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)


def read(path):
    return json.loads(Path(path).read_text(encoding="utf8"))


def rows(dataset, fields):
    """One string per row: the fields, and the boxes with sorted spans."""
    boxes = {}
    for annotation in dataset["annotations"]:
        spans = sorted(map(list, annotation.get("tokens", annotation.get("tokens_positive"))))
        box = [float(value) for value in annotation["bbox"]]
        boxes.setdefault(annotation["image_id"], []).append([box, float(annotation["area"]), spans, annotation.get("isfinal")])
    return [json.dumps([[image.get(field) for field in fields], boxes.get(image["id"], [])]) for image in dataset["images"]]


def report(name, official, ours):
    same = sum(a == b for a, b in zip(official, ours)) if len(official) == len(ours) else len(set(official) & set(ours))
    print(f"{name}: {len(official)} rows of the official script, {len(ours)} here, {same} equal")


def gqa(folder):
    names = ["man", "dog", "traffic light", "café", "table", "hat"]
    graphs, questions = {}, {}
    for image in range(40):
        objects = {
            str(100 * image + k): dict(name=name, x=rng.randint(-5, 50), y=k, w=rng.randint(0, 90), h=40)
            for k, name in enumerate(names)
        }
        graphs[str(image)] = dict(width=500, height=375, objects=objects)
    for number in range(400):
        image = rng.randrange(40)
        asked = rng.sample(range(6), 3)
        text = f"{rng.choice(['What is', 'Who has', 'is', 'Where is'])} the {names[asked[0]]} near the {names[asked[1]]}?"
        words = text.split()
        marks = {}
        for object_number in asked[:2]:
            first = words.index(names[object_number].split()[0]) if names[object_number].split()[0] in words else None
            if first is not None and rng.random() < 0.6:
                last = first + len(names[object_number].split())
                marks[str(first) if last == first + 1 else f"{first}:{last}"] = str(100 * image + object_number)
        marks = dict(sorted(marks.items(), key=lambda item: int(item[0].split(":")[0])))
        select = [dict(operation="select", argument=f"{names[o]} ({100 * image + o})") for o in asked[:2]]
        answer = {"0": str(100 * image + asked[2])} if rng.random() < 0.5 else {}
        questions[f"{number:08d}"] = dict(
            imageId=str(image), question=text, answer="yes", types=dict(semantic="obj"), isBalanced=True,
            semantic=select, annotations=dict(question=marks, answer=answer, fullAnswer={}),
        )
    for part in ("questions1.2", "sceneGraphs", "official"):
        (folder / part).mkdir()
    (folder / "questions1.2/train_balanced_questions.json").write_text(json.dumps(questions))
    (folder / "sceneGraphs/train_sceneGraphs.json").write_text(json.dumps(graphs))
    sizes = {image: dict(width=500, height=375) for image in range(40)}
    script = load(SCRIPTS / "fine-tuning/gqa_coco_format.py")
    script.convert("train", folder / "questions1.2", folder / "sceneGraphs", folder / "official", sizes, "balanced", "")
    prepare("gqa", folder, folder / "ours", "--split", "train", "--for", "finetune")
    name = "finetune_gqa_train_balanced.json"
    fields = ["file_name", "width", "height", "caption", "tokens_negative", "question_type", "answer", "questionId"]
    report("GQA", rows(read(folder / "official" / name), fields), rows(read(folder / "ours" / name), fields))


NOUNS = "man dog tree hat car table plate window wall building side cup horse street bag shirt boat chair".split()
FORMS = (
    "{d}{a} {m}|{d}{m} {p} the {n}|{d}{a} {m} {p} a {n}|the {m} is {a}|{d}{m}s {p} the {n}.|  {d}{m}  {p} {n}|"
    "{d}{a}-ish {m}|The {m} is {p} a {n}|{d}{m} - {n}|the {m} on the {n}"
).split("|")


def phrase():
    m, n = rng.sample(NOUNS, 2)
    adjective, place = rng.choice("red white tall small wooden old blue".split()), rng.choice("on,near,behind,under,with".split(","))
    return rng.choice(FORMS).format(d=rng.choice(["a ", "the ", ""]), a=adjective, p=place, m=m, n=n)


def visual_genome(folder):
    images, number = [], 0
    for image in range(1, 301):
        regions, phrases = [], [phrase() for _ in range(6)]
        usual = {noun: [rng.randint(0, 200), rng.randint(0, 200), rng.randint(20, 100), rng.randint(20, 100)] for noun in NOUNS}
        for _ in range(30):
            number += 1
            text, objects, synsets = rng.choice(phrases), [], []
            for noun in NOUNS:
                at = text.find(noun)
                if at < 0 or rng.random() > 0.8:
                    continue
                synset = dict(synset_name=f"{noun}.n.01", entity_name=noun, entity_idx_start=at, entity_idx_end=at + len(noun))
                synsets += [synset] * (2 if rng.random() < 0.1 else 1)
                for _ in range(rng.choice([0, 1, 1, 2])):
                    x, y, w, h = (value + rng.randint(-6, 6) for value in usual[noun])
                    names = [f"{noun}.n.01"] + ["other.n.01"] * (rng.random() < 0.05)
                    objects.append(dict(object_id=1, name=noun, x=x, y=y, w=w, h=h, synsets=names))
            box = dict(x=rng.randint(0, 100), y=rng.randint(0, 100), width=rng.randint(50, 150), height=90)
            regions.append(dict(image_id=image, region_id=number, phrase=text, objects=objects, synsets=synsets, **box))
        images.append(dict(image_id=image, regions=regions))
    (folder / "region_graphs.json").write_text(json.dumps(images))
    sizes = [dict(image_id=image, width=400, height=400, coco_id=None) for image in range(1, 301)]
    (folder / "image_data.json").write_text(json.dumps(sizes))
    script = load(SCRIPTS / "pre-training/vg_preprocessing.py")
    script._get_all_datapoints(folder, images, 0)
    official = []
    for text in pickle.loads((folder / "vg_train_dump_0.pkl").read_bytes()):
        boxes = [[list(map(float, a.bbox)), float(a.area), sorted(map(list, a.tokens_positive)), None] for a in text.annotations]
        negative = [list(span) for span in text.tokens_negative]
        official.append(json.dumps([[text.image_id, text.original_id, text.caption, negative], boxes]))
    prepare("visual-genome", folder, folder / "ours")
    fields = ["original_id", "region_id", "caption", "tokens_negative"]
    report("Visual Genome", official, rows(read(folder / "ours/final_vg_regions.json"), fields))


def clevr(folder, kind):
    os.chdir(SCRIPTS / "clevr")
    script = load(SCRIPTS / "clevr/clevr_to_coco.py")
    script.convert("val", args.clevr, args.clevr / "boxes", None, folder, False, kind == "medium", script.load_templates())
    prepare("clevr", args.clevr, folder / "ours", "--split", "val", "--texts", kind)
    fields = ["file_name", "width", "height", "caption", "answer"]
    report(f"CLEVR, {kind}", rows(read(folder / "val.json"), fields), rows(read(folder / "ours/val.json"), fields))


def clevr_ref(folder):
    # The script looks for templates in the working folder.
    (folder / "clevr_ref+_templates").symlink_to(args.ref_templates.resolve())
    os.chdir(folder)
    script = load(SCRIPTS / "clevr/refclevr_to_coco.py")
    templates = script.load_templates()
    scenes = {s["image_index"]: s for s in read(args.clevr_ref / "scenes/clevr_ref+_val_scenes.json")["scenes"]}
    official = []
    for text in read(args.clevr_ref / "refexps/clevr_ref+_val_refexps.json")["refexps"]:
        scene = scenes[text["image_index"]]
        boxes = []
        for item, spans in script.parse_prog(scene, text, templates):
            box = [float(value) for value in scene["obj_bbox"][str(item.id + 1)]]
            boxes.append([box, box[2] * box[3], sorted(map(list, spans)), int(item.is_final)])
        official.append(json.dumps([[scene["image_filename"], text["refexp"]], boxes]))
    prepare("clevr-ref", args.clevr_ref, folder / "ours", "--split", "val")
    report("CLEVR-Ref+", official, rows(read(folder / "ours/val.json"), ["file_name", "caption"]))


def run(work, *more):
    with tempfile.TemporaryDirectory() as folder:
        work(Path(folder), *more)


if importlib.util.find_spec("tqdm") is None:
    stub("tqdm", tqdm=lambda items: items)
if args.spacy:
    import spacy

    model = spacy.load(args.spacy)
    spacy.load = lambda _: model
    source = (Path(__file__).resolve().parent.parent / "src/datasets/visual-genome/phrase-text.ts").read_text()
    listed = " ".join(re.findall(r"""["'](.*?)["'](?: \+|,|\n)""", source.split("const STOP_WORDS")[1].split(").split")[0]))
    words = types.SimpleNamespace(words=lambda _: (listed + " above below between further he she they").split())
    stub("nltk", download=lambda _: None)
    stub("nltk.corpus", stopwords=words)
    run(gqa)
    run(visual_genome)
else:
    stub("utils.text", STOP_WORDS=set(), nlp=None)
    run(gqa)
if args.clevr:
    args.clevr = args.clevr.resolve()
    run(clevr, "full")
    run(clevr, "medium")
if args.clevr_ref:
    args.clevr_ref = args.clevr_ref.resolve()
    run(clevr_ref)
