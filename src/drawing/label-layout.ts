/** A rectangle in pixels. */
export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A label to place: its size, and the box that it names. */
export interface LabelRequest {
  readonly width: number;
  readonly height: number;
  readonly box: Rectangle;
}

const overlapArea = (a: Rectangle, b: Rectangle): number =>
  Math.max(0, Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x)) *
  Math.max(0, Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y));

/** Positions at the box, in the order of preference: above it first, then within, below, beside. */
const placesAtBox = ({ width, height, box }: LabelRequest): [x: number, y: number][] => {
  const right = box.x + box.width - width;
  const bottom = box.y + box.height;
  return [
    [box.x, box.y - height],
    [box.x, box.y],
    [box.x, bottom],
    [box.x, bottom - height],
    [right, box.y - height],
    [right, box.y],
    [right, bottom],
    [right, bottom - height],
    [box.x + box.width, box.y],
    [box.x - width, box.y],
  ];
};

/** Positions in the rest of the image, in rows of labels, nearest to the upper left corner of the box first. */
const placesElsewhere = ({ width, height, box }: LabelRequest, image: Rectangle): [x: number, y: number][] => {
  const places: [x: number, y: number][] = [];
  const stepX = Math.max(width / 2, image.width / 40);
  for (let y = image.y; y + height <= image.y + image.height; y += height)
    for (let x = image.x; x + width <= image.x + image.width; x += stepX) places.push([x, y]);
  const distance = ([x, y]: [number, number]): number => (x - box.x) ** 2 + (y - box.y) ** 2;
  return places.sort((a, b) => distance(a) - distance(b));
};

/**
 * Positions of labels within the image, in their order: the first position at the box where a label covers none of the
 * labels before it, else the nearest free position, else the one that covers the smallest area.
 */
export const placeLabels = (requests: readonly LabelRequest[], image: Rectangle): Rectangle[] => {
  const placed: Rectangle[] = [];
  const inside = (start: number, length: number, from: number, room: number): number =>
    Math.max(Math.min(start, from + room - length), from);
  for (const request of requests) {
    const { width, height } = request;
    let best: Rectangle | undefined;
    let bestCovered = Infinity;
    const consider = ([x, y]: [number, number]): boolean => {
      const place = {
        x: inside(x, width, image.x, image.width),
        y: inside(y, height, image.y, image.height),
        width,
        height,
      };
      const covered = placed.reduce((sum, other) => sum + overlapArea(place, other), 0);
      if (covered < bestCovered) [best, bestCovered] = [place, covered];
      // Less than a thousandth of a pixel is rounding.
      return covered < 1e-3;
    };
    if (!placesAtBox(request).some(consider)) placesElsewhere(request, image).some(consider);
    placed.push(best!);
  }
  return placed;
};
