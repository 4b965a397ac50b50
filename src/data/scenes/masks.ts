/** COCO's run lengths: column by column, first the zeros (perhaps none), then ones, and so on. */
export interface RunLengths {
  readonly size: readonly [height: number, width: number];
  readonly counts: readonly number[];
}

interface InstancePicture {
  readonly width: number;
  readonly height: number;
  readonly instances: Uint8Array;
}

/** 1 where the picture shows object i; (height, width), row major. */
export const maskOf = ({ instances }: InstancePicture, i: number): Uint8Array =>
  instances.map((id) => (id === i + 1 ? 1 : 0));

/** Object i's mask in the uncompressed form, which COCO's tools and the official loader read. */
export const maskRunLengths = ({ instances, width, height }: InstancePicture, i: number): RunLengths => {
  const counts: number[] = [];
  let run = 0;
  let inside = false;
  for (let x = 0; x < width; x++) {
    for (let y = 0; y < height; y++) {
      if ((instances[y * width + x] === i + 1) !== inside) {
        counts.push(run);
        run = 0;
        inside = !inside;
      }
      run++;
    }
  }
  counts.push(run);
  return { size: [height, width], counts };
};
