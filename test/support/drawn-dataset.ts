import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import sharp from 'sharp';

/** Size of the drawn images in pixels. */
export const DRAWN_SIZE = { width: 192, height: 128 } as const;
const { width: WIDTH, height: HEIGHT } = DRAWN_SIZE;

/** Classes of the drawn objects, spelled as tools do. */
export const DRAWN_CLASSES = ['apple', 'Traffic_light', 'banana'] as const;
type DrawnClass = (typeof DRAWN_CLASSES)[number];
const COLORS: Readonly<Record<DrawnClass, string>> = { apple: '#c22', Traffic_light: '#284', banana: '#dc2' };

/** One object of a drawn image: class, and box x, y, width, height in whole pixels. */
export interface DrawnObject {
  readonly label: DrawnClass;
  readonly box: readonly [x: number, y: number, width: number, height: number];
}

/** One drawn image with its objects. */
export interface DrawnImage {
  readonly name: string;
  readonly objects: readonly DrawnObject[];
}

/**
 * The images of the dataset that is drawn for the tests of all formats: objects in three columns, up to three in an image,
 * the last image without any.
 */
export const drawnImages = (count = 12): readonly DrawnImage[] =>
  Array.from({ length: count }, (_, i) => ({
    name: `drawn ${String(i).padStart(2, '0')}.png`,
    objects:
      i === count - 1
        ? []
        : Array.from({ length: 1 + (i % 3) }, (__, column): DrawnObject => {
            const label = DRAWN_CLASSES[(i + column * (1 + (i % 2))) % 3]!;
            const side = 22 + ((i * 7 + column * 5) % 20);
            const [w, h] =
              label === 'banana' ? [side + 12, side - 8] : label === 'apple' ? [side, side] : [side - 8, side + 14];
            return {
              label,
              box: [4 + column * 62 + ((i * 5) % 9), 6 + ((i * 11 + column * 23) % (HEIGHT - h - 12)), w, h],
            };
          }),
  }));

/** Draws the images into a folder. */
export const drawImages = async (folder: string, images: readonly DrawnImage[]): Promise<void> => {
  mkdirSync(folder, { recursive: true });
  for (const [i, { name, objects }] of images.entries()) {
    const shapes = objects.map(({ label, box: [x, y, w, h] }) =>
      label === 'apple'
        ? `<ellipse cx="${x + w / 2}" cy="${y + h / 2}" rx="${w / 2}" ry="${h / 2}" fill="${COLORS[label]}"/>`
        : `<rect x="${x}" y="${y}" width="${w}" height="${h}" rx="${label === 'banana' ? h / 2 : 2}" fill="${COLORS[label]}"/>`,
    );
    const shade = 200 + ((i * 13) % 50);
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}"><rect width="100%" height="100%" fill="rgb(${shade},${shade},${250 - (i % 5) * 8})"/>${shapes.join('')}</svg>`;
    await sharp(Buffer.from(svg)).png().toFile(join(folder, name));
  }
};

/** Files of one format, by their paths relative to the source. */
export type FormatFiles = Readonly<Record<string, string>>;

/** Writers of the drawn dataset in every format, in the form of the tools that people use. */
export const DRAWN_FORMATS: Readonly<Record<string, (images: readonly DrawnImage[]) => FormatFiles>> = {
  coco: (images) => ({
    'annotations/instances_default.json': JSON.stringify({
      info: null,
      categories: ['_background_', ...DRAWN_CLASSES].map((name, id) => ({ id, name, supercategory: '' })),
      images: images.map(({ name }, i) => ({ id: `image-${i}`, file_name: name, ...DRAWN_SIZE })),
      annotations: images.flatMap(({ objects }, i) =>
        objects.map(({ label, box }) => ({
          image_id: `image-${i}`,
          category_id: DRAWN_CLASSES.indexOf(label) + 1,
          bbox: box,
        })),
      ),
    }),
  }),
  voc: (images) =>
    Object.fromEntries(
      images.map(({ name, objects }) => [
        `Annotations/${name.replace('.png', '.xml')}`,
        `<annotation verified="yes">\n  <folder>images</folder>\n  <filename>${name}</filename>\n` +
          `  <path>C:\\Users\\user\\images\\${name}</path>\n  <size><width>${WIDTH}</width><height>${HEIGHT}</height><depth>3</depth></size>\n` +
          objects
            .map(
              ({ label, box: [x, y, w, h] }) =>
                `  <object>\n    <name>${label}</name>\n    <difficult>0</difficult>\n    <bndbox>\n      <xmin>${x}</xmin><ymin>${y}</ymin>` +
                `<xmax>${x + w}</xmax><ymax>${y + h}</ymax>\n    </bndbox>\n  </object>\n`,
            )
            .join('') +
          '</annotation>\n',
      ]),
    ),
  yolo: (images) => ({
    'data.yaml': `train: ../images\nval: ../images\nnc: 3\nnames:\n${DRAWN_CLASSES.map((name, i) => `  ${i}: ${name}`).join('\n')}\n`,
    ...Object.fromEntries(
      images.map(({ name, objects }) => [
        `labels/${name.replace('.png', '.txt')}`,
        objects
          .map(({ label, box: [x, y, w, h] }) =>
            [DRAWN_CLASSES.indexOf(label), (x + w / 2) / WIDTH, (y + h / 2) / HEIGHT, w / WIDTH, h / HEIGHT].join(' '),
          )
          .join('\r\n'),
      ]),
    ),
  }),
  labelme: (images) =>
    Object.fromEntries(
      images.map(({ name, objects }) => [
        `labels/${name.replace('.png', '.json')}`,
        JSON.stringify({
          version: '5.7.0',
          flags: {},
          shapes: objects.map(({ label, box: [x, y, w, h] }) => ({
            label,
            points: [
              [x + w, y],
              [x, y + h],
            ],
            group_id: null,
            shape_type: 'rectangle',
            flags: {},
          })),
          imagePath: `..\\images\\${name}`,
          imageData: null,
          imageHeight: HEIGHT,
          imageWidth: WIDTH,
        }),
      ]),
    ),
  csv: (images) => ({
    'boxes.csv': [
      'filename;width;height;class;xmin;ymin;xmax;ymax',
      ...images.flatMap(({ name, objects }) => [
        ...objects.map(({ label, box: [x, y, w, h] }) => [name, WIDTH, HEIGHT, label, x, y, x + w, y + h].join(';')),
        ...(objects.length === 0 ? [[name, WIDTH, HEIGHT, '', '', '', '', ''].join(';')] : []),
      ]),
    ].join('\r\n'),
  }),
  retinanet: (images) => ({
    'boxes.csv': images
      .flatMap(({ name, objects }) => [
        ...objects.map(
          ({ label, box: [x, y, w, h] }) => `/home/user/images/${name},${x},${y},${x + w},${y + h},${label}`,
        ),
        ...(objects.length === 0 ? [`/home/user/images/${name},,,,,`] : []),
      ])
      .join('\n'),
  }),
  via: (images) => ({
    'via_project.json': JSON.stringify({
      _via_settings: {},
      _via_img_metadata: Object.fromEntries(
        images.map(({ name, objects }) => [
          `${name}123`,
          {
            filename: name,
            size: 123,
            regions: objects.map(({ label, box: [x, y, w, h] }) => ({
              shape_attributes: { name: 'rect', x, y, width: w, height: h },
              region_attributes: { type: label },
            })),
            file_attributes: {},
          },
        ]),
      ),
      _via_attributes: {},
    }),
  }),
  labelstudio: (images) => ({
    'project-1.json': JSON.stringify(
      images.map(({ name, objects }, i) => ({
        id: i + 1,
        data: { image: `/data/upload/1/0a1b2c3d-${encodeURIComponent(name)}` },
        annotations: [
          {
            id: i + 1,
            was_cancelled: false,
            result: objects.map(({ label, box: [x, y, w, h] }, j) => ({
              id: `r${j}`,
              type: 'rectanglelabels',
              from_name: 'label',
              to_name: 'image',
              original_width: WIDTH,
              original_height: HEIGHT,
              value: {
                x: (100 * x) / WIDTH,
                y: (100 * y) / HEIGHT,
                width: (100 * w) / WIDTH,
                height: (100 * h) / HEIGHT,
                rotation: 0,
                rectanglelabels: [label],
              },
            })),
          },
        ],
        predictions: [],
      })),
    ),
  }),
  cvat: (images) => ({
    'annotations.xml':
      `<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n` +
      images
        .map(
          ({ name, objects }, i) =>
            `  <image id="${i}" name="${name}" width="${WIDTH}" height="${HEIGHT}">\n` +
            objects
              .map(
                ({ label, box: [x, y, w, h] }) =>
                  `    <box label="${label}" source="manual" occluded="0" xtl="${x}.00" ytl="${y}.00" xbr="${x + w}.00" ybr="${y + h}.00" z_order="0">\n    </box>\n`,
              )
              .join('') +
            '  </image>\n',
        )
        .join('') +
      '</annotations>\n',
  }),
  odvg: (images) => ({
    'annotations.jsonl': images
      .map(({ name, objects }) =>
        JSON.stringify({
          filename: name,
          ...DRAWN_SIZE,
          detection: {
            instances: objects.map(({ label, box: [x, y, w, h] }) => ({
              bbox: [x, y, x + w, y + h],
              label: DRAWN_CLASSES.indexOf(label),
              category: label,
            })),
          },
        }),
      )
      .join('\n'),
  }),
  captions: (images) => ({
    'captions.json': JSON.stringify(
      images.map(({ name, objects }) => ({
        image: name,
        caption:
          objects.length === 0
            ? 'nothing'
            : objects.map(({ label }) => label.toLowerCase().replace('_', ' ')).join(', '),
        boxes: objects.map(({ label, box: [x, y, w, h] }) => ({
          box: [x, y, x + w, y + h],
          phrase: label.toLowerCase().replace('_', ' '),
        })),
      })),
    ),
  }),
};

/** Writes the files of a format into a folder. */
export const writeFormat = (folder: string, files: FormatFiles): void => {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
};
