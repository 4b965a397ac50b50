/** COCO's 80 categories in the order of the detector's scores. */
// prettier-ignore
export const COCO_NOUNS = [
  'person', 'bicycle', 'car', 'motorcycle', 'airplane', 'bus', 'train', 'truck', 'boat', 'traffic light',
  'fire hydrant', 'stop sign', 'parking meter', 'bench', 'bird', 'cat', 'dog', 'horse', 'sheep', 'cow',
  'elephant', 'bear', 'zebra', 'giraffe', 'backpack', 'umbrella', 'handbag', 'tie', 'suitcase', 'frisbee',
  'skis', 'snowboard', 'sports ball', 'kite', 'baseball bat', 'baseball glove', 'skateboard', 'surfboard',
  'tennis racket', 'bottle', 'wine glass', 'cup', 'fork', 'knife', 'spoon', 'bowl', 'banana', 'apple',
  'sandwich', 'orange', 'broccoli', 'carrot', 'hot dog', 'pizza', 'donut', 'cake', 'chair', 'couch',
  'potted plant', 'bed', 'dining table', 'toilet', 'tv', 'laptop', 'mouse', 'remote', 'keyboard', 'cell phone',
  'microwave', 'oven', 'toaster', 'sink', 'refrigerator', 'book', 'clock', 'vase', 'scissors', 'teddy bear',
  'hair drier', 'toothbrush',
] as const;

/** Those of them that Pascal VOC labels. */
// prettier-ignore
export const VOC_NOUNS: readonly string[] = [
  'airplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair', 'cow', 'dining table', 'dog',
  'horse', 'motorcycle', 'person', 'potted plant', 'sheep', 'couch', 'train', 'tv',
];

/** Positions in an image that captions name. */
export const PLACES = ['left', 'right', 'top', 'bottom', 'middle'] as const;
/** Sizes that texts name. */
export const SIZES = ['large', 'small'] as const;

/** Prototypes of the basic color terms (Berlin and Kay) in RGB, 0 to 1: several for terms that photographs show in shades. */
export const COLOR_PROTOTYPES = {
  black: [[0.06, 0.06, 0.07]],
  white: [[0.93, 0.93, 0.93]],
  gray: [
    [0.5, 0.5, 0.5],
    [0.33, 0.33, 0.34],
    [0.7, 0.7, 0.7],
  ],
  red: [
    [0.75, 0.12, 0.12],
    [0.5, 0.08, 0.1],
  ],
  orange: [[0.9, 0.48, 0.1]],
  yellow: [
    [0.9, 0.82, 0.2],
    [0.8, 0.72, 0.3],
  ],
  green: [
    [0.2, 0.5, 0.2],
    [0.36, 0.5, 0.22],
    [0.12, 0.3, 0.14],
  ],
  blue: [
    [0.15, 0.3, 0.65],
    [0.35, 0.55, 0.8],
    [0.1, 0.15, 0.35],
  ],
  purple: [[0.45, 0.2, 0.55]],
  pink: [
    [0.9, 0.55, 0.65],
    [0.85, 0.3, 0.5],
  ],
  brown: [
    [0.42, 0.27, 0.15],
    [0.55, 0.4, 0.27],
    [0.25, 0.15, 0.1],
  ],
} as const satisfies Readonly<Record<string, readonly (readonly [number, number, number])[]>>;

/** Name of a basic color term. */
export type ColorName = keyof typeof COLOR_PROTOTYPES;
/** Colors that texts name. */
export const COLORS = Object.keys(COLOR_PROTOTYPES) as readonly ColorName[];

/** Kinds of concepts, in their order. */
const CONCEPT_KINDS = [
  { name: 'noun', concepts: COCO_NOUNS },
  { name: 'place', concepts: PLACES },
  { name: 'color', concepts: COLORS },
  { name: 'size', concepts: SIZES },
] as const;

/** Concepts whose places in an image are known without training, in the order of the evidence. */
export const CONCEPTS: readonly string[] = CONCEPT_KINDS.flatMap(({ concepts }) => concepts as readonly string[]);

/** Concepts that one token can name: "orange" is a fruit and a color. */
export const CONCEPTS_PER_TOKEN = 2;

/** First concept of each kind, and their number. */
export const KIND_RANGES = CONCEPT_KINDS.reduce<readonly { readonly start: number; readonly end: number }[]>(
  (ranges, { concepts }) => {
    const start = ranges.at(-1)?.end ?? 0;
    return [...ranges, { start, end: start + concepts.length }];
  },
  [],
);
